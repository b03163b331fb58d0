"""The three ports with faults: a store, a builder and a pubsub, each as one process sees it.

- All ports of a process share its `Injector`, which says what fails.
- A transaction is crossed as a whole; the calls in it are recorded, so that it can be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, NamedTuple, cast

from prebuilds.runtime.models import BuildRequest, Message
from prebuilds.runtime.ports import CancelingBuilder, Isolation, PubSub, Store, Transaction
from prebuilds.testing.faults.doubles.fault_modes import AnswerLostError, Boundary, FaultMode, InjectedTimeoutError
from prebuilds.testing.faults.doubles.injection import Injector
from prebuilds.testing.wrapping import TransactionOptions, WrappedStore, WrappedTransaction

LEASE_CALLS = frozenset({"take_lease", "release_lease", "prune_claim_counts"})  # giving it up, the loop tidies up
_READS = ("read_", "list_", "get_", "find_", "nested")


class TransactionCall(NamedTuple):
    """A call in a transaction, and its answer."""

    name: str
    arguments: tuple[object, ...]
    options: tuple[tuple[str, object], ...]
    answer: object

    @property
    def is_write(self) -> bool:
        return not self.name.startswith(_READS)


class FaultyStore(WrappedStore):
    """A `Store` as one process sees it. Its workers share one connection, so that it does one thing at a time.

    It calls `on_commit` after each commit of something written, `on_read` after each other transaction, and
    `on_rollback` after a fault has broken a writing transaction. What was written of the lease alone counts as nothing.
    All may use the connection that the transaction had.
    """

    def __init__(
        self,
        store: Store,
        injector: Injector,
        *,
        on_commit: Callable[[], None] = lambda: None,
        on_read: Callable[[], None] = lambda: None,
        on_rollback: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(store)
        self._injector = injector
        self._on_commit = on_commit
        self._on_read = on_read
        self._on_rollback = on_rollback

    @property
    def max_connections(self) -> int:
        return min(super().max_connections, 2)  # a pass takes half of them

    @contextmanager
    def _open(self, options: TransactionOptions) -> Iterator[Transaction]:
        injector = self._injector
        mode = injector.begin(Boundary.TRANSACTION)
        injector.begun_inside += bool(injector.open_transactions)
        calls: list[TransactionCall] = []
        with nullcontext() if options.read_only else injector.write_turn(), injector.connection_turn():
            with self._rolled_back(options, mode), self._begun(options, mode, calls) as tx:
                yield tx
            self._note_commit(options, mode, calls)
        injector.end(mode, Boundary.TRANSACTION, AnswerLostError)

    @contextmanager
    def _rolled_back(self, options: TransactionOptions, mode: FaultMode | None) -> Iterator[None]:
        """Around a transaction: tell of its rollback if a fault broke it."""
        try:
            yield
        except BaseException:
            if mode in (FaultMode.BEFORE, FaultMode.PART) and not options.read_only:
                self._on_rollback()
            raise

    @contextmanager
    def _begun(
        self, options: TransactionOptions, mode: FaultMode | None, calls: list[TransactionCall]
    ) -> Iterator[Transaction]:
        injector = self._injector
        injector.open_transactions += 1
        try:
            with options.begin(self._store) as tx:
                yield cast(Transaction, _FaultyTransaction(tx, injector, calls, is_cut=mode is FaultMode.PART))
                injector.refuse_if_crashed()
                if mode is FaultMode.BEFORE:
                    injector.crash()
                if mode is FaultMode.PART:
                    raise AnswerLostError("transaction: the connection is gone")
        finally:
            injector.open_transactions -= 1

    def _note_commit(
        self, options: TransactionOptions, mode: FaultMode | None, calls: Sequence[TransactionCall]
    ) -> None:
        if mode is FaultMode.DUPLICATE:
            _repeat(options.begin(self._store), calls)
        is_loose = options.isolation is Isolation.READ_COMMITTED and _is_planned_from(calls)
        self._injector.loose_reads += is_loose
        written = [call.name for call in calls if call.is_write and call.name not in LEASE_CALLS]
        self._injector.written += written
        if written:
            self._on_commit()
        else:
            self._on_read()


class _FaultyTransaction(WrappedTransaction):
    """Records every call. If `is_cut`, the connection goes after the first write."""

    def __init__(self, tx: Transaction, injector: Injector, calls: list[TransactionCall], *, is_cut: bool) -> None:
        super().__init__(tx)
        self._injector = injector
        self._calls = calls
        self._is_cut = is_cut

    def _wrap(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object, **options: object) -> object:
            self._injector.pause()
            self._injector.called.add(name)
            _refuse_broken(name, arguments, self._injector.broken_preset)
            made = TransactionCall(name, arguments, tuple(options.items()), method(*arguments, **options))
            self._calls.append(made)
            if self._is_cut and made.is_write:
                raise AnswerLostError(f"transaction: the connection is gone after {name}")
            return made.answer

        return call


def _is_planned_from(calls: Sequence[TransactionCall]) -> bool:
    return any(call.name == "read_rows" and "ended_since" in dict(call.options) for call in calls)


def _refuse_broken(name: str, arguments: Sequence[Any], broken_preset: str | None) -> None:
    if broken_preset is not None and name == "insert_prebuilds" and arguments[0][0].request.preset_id == broken_preset:
        raise RuntimeError(f"nothing can be added to {broken_preset}")


def _repeat(transaction: AbstractContextManager[Any], calls: Sequence[TransactionCall]) -> None:
    """Do it all again, as a caller would who cannot know that it was done. Stop at the first different answer."""
    with transaction as tx:
        for call in calls:
            if call.name == "nested" or getattr(tx, call.name)(*call.arguments, **dict(call.options)) != call.answer:
                break


class FaultyBuilder:
    """A `WorkspaceBuilder` as one process sees it. What it raises means what the port says: nobody knows."""

    def __init__(self, builder: CancelingBuilder, injector: Injector) -> None:
        self._builder = builder
        self._injector = injector

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:
        def effect() -> None:
            with self._injector.connection_turn():  # which the builder may need
                self._builder.submit(request, template_version_id, timeout=timeout)

        self._injector.cross(Boundary.SUBMIT, effect, InjectedTimeoutError)

    def cancel(self, build_id: str, *, timeout: timedelta) -> None:
        def effect() -> None:
            with self._injector.connection_turn():
                self._builder.cancel(build_id, timeout=timeout)

        self._injector.cross(Boundary.SUBMIT, effect, InjectedTimeoutError)


class FaultyPubSub:
    """A `PubSub` as one process sees it."""

    def __init__(self, pubsub: PubSub, injector: Injector) -> None:
        self._pubsub = pubsub
        self._injector = injector

    def publish(self, message: Message) -> None:
        self._injector.cross(Boundary.PUBLISH, lambda: self._pubsub.publish(message), AnswerLostError)

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        return self._pubsub.subscribe(topic, listener)
