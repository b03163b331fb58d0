"""Stores that break one rule each.

A broken store is the memory store with some methods of its transactions replaced, or with a `transaction` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from threading import Barrier, BrokenBarrierError, current_thread, main_thread
from typing import Any

from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.adapters.memory.transactions import MemoryTransaction
from prebuilds.runtime.models import Message
from prebuilds.runtime.ports import Clock

TIMEOUT = timedelta(milliseconds=20)
Method = Callable[..., Any]


class BrokenTransaction:
    """A transaction with some methods replaced; each of those is given the real transaction first."""

    def __init__(self, tx: Any, methods: Mapping[str, Method]) -> None:
        self._tx = tx
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        method = self._methods.get(name)
        return partial(method, self._tx) if method else getattr(self._tx, name)


class BrokenStore(MemoryStore):
    """The memory store with broken transactions."""

    def __init__(self, **methods: Method) -> None:
        super().__init__(max_connections=3, timeout=TIMEOUT)
        self._methods = methods

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        with super().transaction(**options) as tx:
            yield BrokenTransaction(tx, self._methods)


class CredulousStore(BrokenStore):
    """Takes the time of each client for its own."""

    def follow_clock(self, host: Clock) -> Clock:
        return host


class LeaselessStore(BrokenStore):
    """Ignores the lease."""

    def transaction(self, **options: Any) -> Any:
        return super().transaction(**options | {"lease": None})


class CommittingStore(BrokenStore):
    """Commits even if an error leaves the block."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        error: BaseException | None = None
        with super().transaction(**options) as tx:
            try:
                yield tx
            except BaseException as raised:
                error = raised
        if error:
            raise error


class ForgetfulStore(BrokenStore):
    """Commits nothing."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        before = self._committed
        with super().transaction(**options) as tx:
            yield tx
        self._committed = before


class DirtyStore(BrokenStore):
    """Lets readers see what is not committed."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        before = self._committed
        with super().transaction(**options) as tx:
            if not options.get("read_only"):
                self._committed = tx._tx.rows.tables
            try:
                yield tx
            except BaseException:
                self._committed = before
                raise


class UnsteadyStore(BrokenStore):
    """Lets a reader see what is committed later."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        with super().transaction(**options) as tx:
            yield _Following(self, tx) if options.get("read_only") else tx


class _Following:
    def __init__(self, store: MemoryStore, tx: Any) -> None:
        self._store = store
        self._tx = tx

    def __getattr__(self, name: str) -> Any:
        self._tx._tx.rows.tables = self._store._committed.fork()
        return getattr(self._tx, name)


class WritableStore(BrokenStore):
    """Lets readers write."""

    def transaction(self, **options: Any) -> Any:
        return super().transaction(**options | {"read_only": False})


class UnguardedStore(BrokenStore):
    """Looks at the lease when a transaction begins, and then lets others take it."""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        with super().transaction(**options) as tx:
            if options.get("lease"):
                self._writing.release()
            try:
                yield tx
            finally:
                if options.get("lease"):
                    self._writing.acquire()


class HangingStore(BrokenStore):
    """Waits for a connection for ever."""

    @contextmanager
    def connection(self) -> Iterator[None]:
        with self._connections:
            yield


class UnwrappedStore(BrokenStore):
    """Does not tell that a transaction is open."""

    @contextmanager
    def transaction(self, *, read_only: bool = False, **_: Any) -> Iterator[Any]:
        with self.connection(), nullcontext() if read_only else self._write_lock():
            draft = MemoryTransaction(self._committed, read_only=read_only)
            yield draft
            self._committed = draft.rows.tables if not read_only else self._committed


class BoundlessStore(BrokenStore):
    """Has more connections than it says."""

    @property
    def max_connections(self) -> int:
        return super().max_connections - 1


class NarrowStore(BrokenStore):
    """Has fewer connections than it says."""

    @property
    def max_connections(self) -> int:
        return super().max_connections + 1


class UnlockedStore(BrokenStore):
    """Lets writers at each other: of two at once, one commits over the other."""

    def __init__(self) -> None:
        super().__init__()
        self._meeting = Barrier(2)

    def _write_lock(self) -> Any:
        return nullcontext()

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        with super().transaction(**options) as tx:
            yield tx
            if not options.get("read_only") and current_thread() is not main_thread():
                self._meet()

    def _meet(self) -> None:
        """Wait for another who is about to commit, so that both do; for a while only, as there may be none."""
        try:
            self._meeting.wait(0.5)
        except BrokenBarrierError:
            self._meeting.reset()


class EagerStore(BrokenStore):
    """Publishes before the commit."""

    def __init__(self) -> None:
        self.pubsub = _Open()
        super().__init__(publish_on_commit=lambda _, message: self.pubsub.publish(message))


class _Open(MemoryPubSub):
    """Publishes within transactions too."""

    def publish(self, message: Message) -> None:
        for topic, listener in self._listeners:
            if topic == message.topic:
                listener(message)
