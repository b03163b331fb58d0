"""A store that notes what it is asked and what it answers, so that an error can tell what was done.

- It changes nothing: arguments, answers and errors pass through as they are.
- Calls are put in words only when somebody asks for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from prebuilds.runtime.models import Lease
from prebuilds.runtime.ports import Isolation, Store, Transaction
from prebuilds.testing.contracts.bench.describing import Mismatch, describe

_KEPT = 40  # calls; whoever made more needs the last ones


class Call(NamedTuple):
    """One call: the number of its transaction, what was called, and the answer or the error."""

    transaction: int
    name: str
    arguments: tuple[object, ...] = ()
    options: tuple[tuple[str, object], ...] = ()
    answer: object = None

    def __str__(self) -> str:
        given = [*map(describe, self.arguments), *(f"{name}={describe(value)}" for name, value in self.options)]
        if isinstance(self.answer, BaseException):
            told = f" raises {type(self.answer).__name__}: {self.answer}"
        else:
            told = "" if self.answer is None else f" -> {describe(self.answer)}"
        return f"[{self.transaction}] {self.name}({', '.join(given)}){told}"


class Record:
    """The last calls, in the order in which they ended."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=_KEPT)
        self._transactions = 0

    def begin(self) -> int:
        """The number of one more transaction."""
        self._transactions += 1
        return self._transactions

    def add(self, call: Call) -> None:
        """Note one more."""
        self._calls.append(call)

    def list_lines(self) -> tuple[str, ...]:
        """The calls in words, each led by the number of its transaction."""
        return tuple(map(str, tuple(self._calls)))


class RecordedStore:
    """A `Store` in front of another."""

    def __init__(self, store: Store, record: Record) -> None:
        self._store = store
        self._record = record

    @property
    def max_connections(self) -> int:
        return self._store.max_connections

    @contextmanager
    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> Iterator[Transaction]:
        asked = {"isolation": isolation, "read_only": read_only, "lease": lease}
        defaults = (Isolation.READ_COMMITTED, False, None)
        options = tuple(pair for pair, default in zip(asked.items(), defaults, strict=True) if pair[1] != default)
        call = Call(self._record.begin(), "transaction", options=options)
        store = self._store
        with (
            _recorded(self._record, call),
            store.transaction(isolation=isolation, read_only=read_only, lease=lease) as tx,
        ):
            self._record.add(call)
            yield cast(Transaction, _RecordedTransaction(tx, self._record, call.transaction))


class _RecordedTransaction:
    """Every method of a `Transaction`, noted."""

    def __init__(self, tx: Transaction, record: Record, number: int) -> None:
        self._tx = tx
        self._record = record
        self._number = number

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._tx, name)

        def call(*arguments: object, **options: object) -> object:
            try:
                answer = method(*arguments, **options)
            except BaseException as error:
                self._record.add(Call(self._number, name, arguments, tuple(options.items()), error))
                raise
            self._record.add(Call(self._number, name, arguments, tuple(options.items()), answer))
            return answer

        return call

    @contextmanager
    def nested(self) -> Iterator[None]:
        call = Call(self._number, "nested")
        with _recorded(self._record, call), self._tx.nested():
            self._record.add(call)
            yield


@contextmanager
def _recorded(record: Record, call: Call) -> Iterator[None]:
    """Around a block: note how it ended."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Mismatch):
            record.add(call._replace(name=f"end of {call.name}", answer=error))
        raise
    record.add(call._replace(name=f"end of {call.name}", options=()))
