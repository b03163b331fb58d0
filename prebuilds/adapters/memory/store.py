"""The memory store: readers see a snapshot, and one transaction writes at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import cast

from prebuilds.adapters.memory.pubsub import MemoryPubSub
from prebuilds.adapters.memory.tables import Tables
from prebuilds.adapters.memory.transactions import MemoryTransaction
from prebuilds.adapters.store_base import LimitedStore
from prebuilds.errors import LeaseLostError, PoolExhaustedError, StoreBusyError
from prebuilds.runtime.models import Lease
from prebuilds.runtime.ports import Isolation, Transaction
from prebuilds.runtime.publishing.commit_guard import open_transaction

_TIMEOUT = timedelta(seconds=5)


class MemoryStore(LimitedStore):
    """A `Store` in memory.

    `max_connections` is how many transactions can be open at once. `timeout`, a timedelta, is how long each waits for a
    connection, and then for other writers. Every transaction is serializable; `isolation` changes nothing.
    """

    def __init__(self, *, max_connections: int = 8, timeout: timedelta = _TIMEOUT) -> None:
        super().__init__(max_connections)
        self._seconds = timeout.total_seconds()
        self._connections = threading.BoundedSemaphore(max_connections)
        self._writing = threading.Lock()
        self._committed = Tables()

    def make_pubsub(self) -> MemoryPubSub:
        """A pubsub for this process; see `PubSubMaker`."""
        return MemoryPubSub(self)

    @contextmanager
    def connection(self) -> Iterator[None]:
        """One of the connections, until the block ends. Raises `PoolExhaustedError`."""
        if not self._connections.acquire(timeout=self._seconds):
            raise PoolExhaustedError(self._max_connections, self._seconds)
        try:
            yield
        finally:
            self._connections.release()

    @contextmanager
    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,  # noqa: ARG002 - it is always serializable
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> Iterator[Transaction]:
        with open_transaction(self), self.connection():
            if read_only:
                tables = self._committed
                _check_lease(tables, lease)
                yield cast(Transaction, MemoryTransaction(tables, read_only=True))
                return
            with self._write_lock():
                _check_lease(self._committed, lease)
                draft = MemoryTransaction(self._committed, read_only=False)
                yield cast(Transaction, draft)
                self._committed = draft.rows.tables

    @contextmanager
    def _write_lock(self) -> Iterator[None]:
        if not self._writing.acquire(timeout=self._seconds):
            raise StoreBusyError(self._seconds)
        try:
            yield
        finally:
            self._writing.release()


def _check_lease(tables: Tables, lease: Lease | None) -> None:
    if lease and tables.tokens.get(lease.name) != lease.token:
        raise LeaseLostError(lease.name, lease.token)
