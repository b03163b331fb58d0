"""Injection: a process's way out into the world, with the faults that lie on it.

- Every port of a process goes through its one `Injector`, which counts the crossings and knows whether it has crashed.
- It gives up its turn before each crossing and each call of a transaction, so that others can act in between.
- Without a fault everything passes through as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, NamedTuple, NoReturn, cast

from prebuilds.runtime.models import BuildRequest, Lease, Message
from prebuilds.runtime.ports import Isolation, PubSub, Store, Transaction, WorkspaceBuilder
from prebuilds.testing.faults.doubles.modes import (
    AnswerLostError,
    Boundary,
    CrashedError,
    Fault,
    FaultMode,
    InjectedTimeoutError,
)
from prebuilds.testing.faults.worlds.scheduling import Turns

LEASE_CALLS = frozenset({"take_lease", "release_lease"})
_READS = ("list_", "get_", "find_", "is_", "nested")


class Call(NamedTuple):
    """A call within a transaction, and its answer."""

    name: str
    arguments: tuple[object, ...]
    options: tuple[tuple[str, object], ...]
    answer: object

    @property
    def is_write(self) -> bool:
        return not self.name.startswith(_READS)


class Injector:
    """The faults of one process, and what it did.

    `crossed` has every point with its boundary, `struck` the faults that came about, `written` the writes that were
    committed, the lease's apart, and `crossed_inside` what it called while it had a transaction open. `begun_inside`
    counts transactions that began while another was open, `loose_reads` those that read what a plan is made of without
    asking for one moment. To `broken_preset` nothing can be added.
    """

    def __init__(
        self,
        process: str,
        faults: Iterable[Fault] = (),
        *,
        turns: Turns | None = None,
        broken_preset: str | None = None,
    ) -> None:
        self.process = process
        self.points = 0
        self.crossed: list[tuple[int, Boundary]] = []
        self.struck: list[Fault] = []
        self.called: set[str] = set()
        self.written: list[str] = []
        self.open_transactions = 0
        self.crossed_inside: list[Boundary] = []
        self.begun_inside = 0
        self.loose_reads = 0
        self.has_crashed = False
        self._faults = {fault.point: fault for fault in faults if fault.process == process}
        self._broken: set[Boundary] = set()
        self._turns = turns
        self.broken_preset = broken_preset

    def restart(self) -> None:
        """A new life of the process, with the faults that are still to come."""
        self.has_crashed = False
        self.open_transactions = 0
        self._broken.clear()

    def stop_faults(self) -> None:
        """Nothing goes wrong from here on."""
        self._faults.clear()
        self._broken.clear()

    def pause(self) -> None:
        """Let others act, if there are any."""
        self.refuse_if_crashed()
        if self._turns:
            self._turns.pause(self.process)

    def write_turn(self) -> AbstractContextManager[None]:
        """A context in which no other process has a transaction open that writes."""
        return self._turns.write_turn(self.process) if self._turns else nullcontext()

    def connection_turn(self) -> AbstractContextManager[None]:
        """A context in which this process has one of the store's connections; nothing more if it has one already."""
        if self._turns is None or self.open_transactions:
            return nullcontext()
        return self._turns.connection_turn(self.process)

    def refuse_if_crashed(self) -> None:
        """A process that is down can do nothing."""
        if self.has_crashed:
            raise CrashedError(self.process)

    def crash(self) -> NoReturn:
        """The process is down from here on."""
        self.has_crashed = True
        raise CrashedError(self.process)

    def begin(self, boundary: Boundary) -> FaultMode | None:
        """Come to a boundary. Returns the mode of the fault that lies there, if one does."""
        self.pause()
        self.crossed.append((self.points, boundary))
        fault = self._faults.pop(self.points, None)
        self.points += 1
        if fault:
            self.struck.append(fault)
        if boundary in self._broken:
            raise AnswerLostError(f"{boundary.value}: the connection is gone")
        if fault and fault.mode is FaultMode.TIMEOUT:
            raise InjectedTimeoutError(f"{boundary.value}: not in time")
        return fault.mode if fault else None

    def cross(self, boundary: Boundary, effect: Callable[[], None], lost: type[Exception]) -> None:
        """Cross a boundary with an effect that is one call; `lost` is what a lost answer raises there."""
        mode = self.begin(boundary)
        if self.open_transactions:
            self.crossed_inside.append(boundary)
        if mode is FaultMode.BEFORE:
            self.crash()
        effect()
        if mode is FaultMode.DUPLICATE:
            effect()
        elif mode is FaultMode.PART:
            self._broken.add(boundary)
        self.end(mode, boundary, lost)

    def end(self, mode: FaultMode | None, boundary: Boundary, lost: type[Exception]) -> None:
        """Come back with the answer, or not."""
        if mode is FaultMode.AFTER:
            self.crash()
        if mode is FaultMode.ANSWER_LOST:
            raise lost(f"{boundary.value}: the answer was lost")


class FaultyStore:
    """A `Store` as one process sees it, with one connection for its workers, so that it does one thing at a time.

    `on_commit` is called after each commit, `on_rollback` after a fault has broken a transaction that writes. Both may
    use the connection that the transaction had.
    """

    def __init__(
        self,
        store: Store,
        injector: Injector,
        *,
        on_commit: Callable[[], None] = lambda: None,
        on_rollback: Callable[[], None] = lambda: None,
    ) -> None:
        self.max_connections = min(store.max_connections, 2)  # of which a pass takes half
        self._store = store
        self._injector = injector
        self._on_commit = on_commit
        self._on_rollback = on_rollback

    @contextmanager
    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> Iterator[Transaction]:
        injector = self._injector
        mode = injector.begin(Boundary.TRANSACTION)
        injector.begun_inside += bool(injector.open_transactions)
        calls: list[Call] = []

        def begin() -> Any:
            return self._store.transaction(isolation=isolation, read_only=read_only, lease=lease)

        with nullcontext() if read_only else injector.write_turn(), injector.connection_turn():
            try:
                with self._open(begin, calls, mode) as tx:
                    yield tx
            except BaseException:
                if mode in (FaultMode.BEFORE, FaultMode.PART) and not read_only:
                    self._on_rollback()
                raise
            if mode is FaultMode.DUPLICATE:
                _repeat(begin, calls)
            injector.loose_reads += isolation is Isolation.READ_COMMITTED and _is_planned_from(calls)
            injector.written += [call.name for call in calls if call.is_write and call.name not in LEASE_CALLS]
            self._on_commit()
        injector.end(mode, Boundary.TRANSACTION, AnswerLostError)

    @contextmanager
    def _open(self, begin: Callable[[], Any], calls: list[Call], mode: FaultMode | None) -> Iterator[Transaction]:
        injector = self._injector
        injector.open_transactions += 1
        try:
            with begin() as tx:
                yield cast(Transaction, _FaultyTransaction(tx, injector, calls, is_cut=mode is FaultMode.PART))
                injector.refuse_if_crashed()
                if mode is FaultMode.BEFORE:
                    injector.crash()
                if mode is FaultMode.PART:
                    raise AnswerLostError("transaction: the connection is gone")
        finally:
            injector.open_transactions -= 1


class _FaultyTransaction:
    """Every method of a `Transaction`, noted; `is_cut` tells that the connection goes after the first write."""

    def __init__(self, tx: Transaction, injector: Injector, calls: list[Call], *, is_cut: bool) -> None:
        self._tx = tx
        self._injector = injector
        self._calls = calls
        self._is_cut = is_cut

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._tx, name)

        def call(*arguments: object, **options: object) -> object:
            self._injector.pause()
            self._injector.called.add(name)
            _refuse_broken(name, arguments, self._injector.broken_preset)
            noted = Call(name, arguments, tuple(options.items()), method(*arguments, **options))
            self._calls.append(noted)
            if self._is_cut and noted.is_write:
                raise AnswerLostError(f"transaction: the connection is gone after {name}")
            return noted.answer

        return call


def _is_planned_from(calls: Sequence[Call]) -> bool:
    return {"list_presets", "list_prebuilds", "list_builds"} <= {call.name for call in calls}


def _refuse_broken(name: str, arguments: Sequence[Any], broken_preset: str | None) -> None:
    if broken_preset is not None and name == "insert_prebuild" and arguments[0].preset_id == broken_preset:
        raise RuntimeError(f"nothing can be added to {broken_preset}")


def _repeat(begin: Callable[[], Any], calls: Sequence[Call]) -> None:
    """Do a transaction again, as a caller would who does not know that it was done: up to the first other answer."""
    with begin() as tx:
        for call in calls:
            if call.name == "nested" or getattr(tx, call.name)(*call.arguments, **dict(call.options)) != call.answer:
                break


class FaultyBuilder:
    """A `WorkspaceBuilder` as one process sees it. What it raises means what the port says: nobody knows."""

    def __init__(self, builder: WorkspaceBuilder, injector: Injector) -> None:
        self._builder = builder
        self._injector = injector

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:
        def effect() -> None:
            with self._injector.connection_turn():  # which the builder may need
                self._builder.submit(request, template_version_id, timeout=timeout)

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
