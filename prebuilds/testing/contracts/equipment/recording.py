"""A store that records its calls and their answers, so that an error can list what was done.

- It changes nothing: arguments, answers and errors pass through as they are.
- Calls are put into words only when they are needed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import attrs

from prebuilds.runtime.claim_answers import Claim
from prebuilds.runtime.models import ClaimRequest, Message
from prebuilds.runtime.ports import DirectClaims, Store, StoreClock, Transaction
from prebuilds.testing.contracts.equipment.error_words import Mismatch, describe
from prebuilds.testing.wrapping import TransactionOptions, WrappedStore, WrappedTransaction

_KEPT = 40  # calls; of a longer run the last ones matter


class RecordedCall(NamedTuple):
    """One call: the number of its transaction, the method, and the answer or the error."""

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
        self._calls: deque[RecordedCall] = deque(maxlen=_KEPT)
        self._transactions = 0

    def begin(self) -> int:
        """Give the next transaction its number."""
        self._transactions += 1
        return self._transactions

    def add(self, call: RecordedCall) -> None:
        """Add one."""
        self._calls.append(call)

    def list_lines(self) -> tuple[str, ...]:
        """The calls in words, each after the number of its transaction."""
        return tuple(map(str, tuple(self._calls)))


class RecordedStore(WrappedStore):
    """A `Store` that records its transactions."""

    def __init__(self, store: Store, record: Record) -> None:
        super().__init__(store)
        self._record = record
        if isinstance(store, StoreClock):
            self.follow_clock = store.follow_clock  # an attribute, as only some stores have it

    @contextmanager
    def _open(self, options: TransactionOptions) -> Iterator[Transaction]:
        call = RecordedCall(self._record.begin(), "transaction", options=_list_options(options))
        with _recorded(self._record, call), options.begin(self._store) as tx:
            self._record.add(call)
            yield cast(Transaction, _RecordedTransaction(tx, self._record, call.transaction))


class RecordedDirectStore(RecordedStore):
    """A `RecordedStore` with the capability `DirectClaims`, whose calls it records too."""

    def __init__(self, store: Store, claims: DirectClaims, record: Record) -> None:
        super().__init__(store, record)
        self._claims = claims

    def claim(self, request: ClaimRequest, *, message: Message) -> Claim:
        call = RecordedCall(self._record.begin(), "claim", (request,), (("message", message),))
        try:
            claim = self._claims.claim(request, message=message)
        except BaseException as error:
            self._record.add(call._replace(answer=error))
            raise
        self._record.add(call._replace(answer=claim))
        return claim


def record_store(store: Store, record: Record) -> RecordedStore:
    """The store, recorded, with the capabilities that it has."""
    if isinstance(store, DirectClaims):
        return RecordedDirectStore(store, store, record)
    return RecordedStore(store, record)


def _list_options(options: TransactionOptions) -> tuple[tuple[str, object], ...]:
    """Those that are not the default."""
    pairs = [(field, getattr(options, field.name)) for field in attrs.fields(TransactionOptions)]
    return tuple((field.name, value) for field, value in pairs if value != field.default)


class _RecordedTransaction(WrappedTransaction):
    """Records every call."""

    def __init__(self, tx: Transaction, record: Record, number: int) -> None:
        super().__init__(tx)
        self._record = record
        self._number = number

    def _wrap(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object, **options: object) -> object:
            try:
                answer = method(*arguments, **options)
            except BaseException as error:
                self._record.add(RecordedCall(self._number, name, arguments, tuple(options.items()), error))
                raise
            self._record.add(RecordedCall(self._number, name, arguments, tuple(options.items()), answer))
            return answer

        return call

    @contextmanager
    def nested(self) -> Iterator[None]:
        call = RecordedCall(self._number, "nested")
        with _recorded(self._record, call), self._tx.nested():
            self._record.add(call)
            yield


@contextmanager
def _recorded(record: Record, call: RecordedCall) -> Iterator[None]:
    """Around a block: record how it ended."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Mismatch):
            record.add(call._replace(name=f"end of {call.name}", answer=error))
        raise
    record.add(call._replace(name=f"end of {call.name}", options=()))
