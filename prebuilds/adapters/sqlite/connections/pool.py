"""The connections of one store, and what happens to them when the process forks.

- Never more than `max_connections` are open, idle ones included.
- Writers queue before they ask for a connection, so that waiting writers keep no connection from readers. Between
  processes there is no queue: the first to find the file free goes first.
- No connection is used by two processes. SQLite keeps a process's locks in its memory: a forked child would believe
  that it holds its parent's locks, and would corrupt the file. So a fork first waits for open transactions and closes
  idle connections, and the child opens its own. If a transaction stays open, the child cannot use the file at all.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from time import monotonic
from weakref import WeakSet

from prebuilds.adapters.sqlite.connections.connection import Connection
from prebuilds.adapters.sqlite.connections.fair_semaphore import FairSemaphore
from prebuilds.errors import ForkedStoreError, PoolExhaustedError, StoreBusyError, StoreClosedError
from prebuilds.runtime.forks import follow_forks

_FORK_SECONDS = 1.0  # how long a fork waits for transactions to end

_forking = threading.Lock()
_pools: WeakSet[Pool] = WeakSet()
_unusable: set[str] = set()  # files whose locks this process wrongly believes it holds


class Pool:
    """Connections to one file, made by `connect` when none is idle."""

    def __init__(self, path: str, *, max_connections: int, seconds: float, connect: Callable[[], Connection]) -> None:
        self._path = path
        self._max_connections = max_connections
        self._seconds = seconds
        self._connect = connect
        self._is_closed = False
        self._reset()
        _pools.add(self)
        follow_forks(self, Pool.begin_anew)

    @contextmanager
    def lend(self, *, read_only: bool, deadline: float) -> Iterator[Connection]:
        """A connection, until the block ends; preferably one that was last used in the same mode.

        Only one writer has a connection at a time. Raises `PoolExhaustedError` or `StoreBusyError` at the deadline,
        `StoreClosedError` and `ForkedStoreError`.
        """
        with nullcontext() if read_only else self._writing(deadline), self._using(deadline):
            connection = self._pick(read_only=read_only) or self._open()
            try:
                yield connection
            finally:
                self._put_back(connection)

    def close(self) -> None:
        """Close the idle connections now, and the others when they are returned."""
        self._is_closed = True
        self._close_idle()

    def prepare_fork(self) -> None:
        """Wait until no transaction is open, let none begin, and close idle connections."""
        deadline = monotonic() + _FORK_SECONDS
        self._held = sum(self._users.acquire(deadline - monotonic()) for _ in range(self._max_connections))
        self._close_idle()

    def go_on(self) -> None:
        """After a fork, in the parent: let transactions begin again."""
        for _ in range(self._held):
            self._users.release()
        self._held = 0

    def begin_anew(self) -> None:
        """After a fork, in the child: abandon the parent's connections, and the file if a transaction was open."""
        if self._held < self._max_connections:
            _unusable.add(self._path)
        for connection in self._all:
            connection.abandon()
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._writers, self._users = FairSemaphore(1), FairSemaphore(self._max_connections)
        self._held = 0
        self._idle: list[Connection] = []
        self._all: list[Connection] = []
        self._count = 0  # of all connections, those being opened included

    @contextmanager
    def _writing(self, deadline: float) -> Iterator[None]:
        """The turn to write, among the threads of this process."""
        writers = self._writers
        if not writers.acquire(deadline - monotonic()):
            raise StoreBusyError(self._seconds) if self._users.is_free else self._make_error()
        try:
            yield
        finally:
            writers.release()

    @contextmanager
    def _using(self, deadline: float) -> Iterator[None]:
        """The right to one of the connections."""
        users = self._users
        if not users.acquire(deadline - monotonic()):
            raise self._make_error()
        try:
            yield
        finally:
            users.release()

    def _make_error(self) -> PoolExhaustedError:
        return PoolExhaustedError(self._max_connections, self._seconds)

    def _pick(self, *, read_only: bool) -> Connection | None:
        """An idle connection; None if a new one may be opened, which counts as open from now on."""
        with self._lock:
            alike = [connection for connection in self._idle if connection.is_read_only is read_only]
            if not alike and self._count < self._max_connections:
                self._count += 1
                return None
            connection = (alike or self._idle)[-1]
            self._idle.remove(connection)
            return connection

    def _open(self) -> Connection:
        try:
            self._require_usable()
            connection = self._connect()
        except BaseException:
            with self._lock:
                self._count -= 1
            raise
        self._all.append(connection)
        return connection

    def _require_usable(self) -> None:
        if self._path in _unusable:
            raise ForkedStoreError(self._path)
        if self._is_closed:
            raise StoreClosedError

    def _put_back(self, connection: Connection) -> None:
        """Keep the connection for another transaction, or close it if the pool is closed or it can serve none."""
        with self._lock:
            if connection.is_abandoned:
                return
            self._idle.append(connection)
        if self._is_closed or connection.in_transaction or connection.is_frozen:
            self._close_idle()

    def _close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
            self._count -= len(idle)
        for connection in idle:
            self._all.remove(connection)
            connection.close()


def _before_fork() -> None:
    _forking.acquire()
    for pool in tuple(_pools):
        pool.prepare_fork()


def _after_fork_in_parent() -> None:
    for pool in tuple(_pools):
        pool.go_on()
    _forking.release()


def _after_fork_in_child() -> None:
    _forking.release()


if hasattr(os, "register_at_fork"):  # not on Windows, which forks nothing
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
