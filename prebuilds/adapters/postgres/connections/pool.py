"""Lending connections.

- The connections are a pool of psycopg: first come, first served.
- A connection that the server has ended is replaced before it is lent. A connection that the network has lost looks
  alive until something is sent over it. A transaction that finds this out when it begins takes another one.
- A forked process makes its own connections when it needs them. It takes none of its parent's locks, which a thread
  that was not copied may hold, and never touches its parent's connections.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout
from typing_extensions import Self

from prebuilds.adapters.postgres.connections.connecting import Connection
from prebuilds.adapters.postgres.connections.timeouts import Timeouts
from prebuilds.errors import PoolExhaustedError, StoreClosedError, StoreUnavailableError
from prebuilds.runtime.forks import follow_forks

_abandoned: list[ConnectionPool[Connection]] = []  # of a parent process; they must not even be closed


class Pool:
    """Connections to one database."""

    def __init__(self, parameters: dict[str, Any], *, max_connections: int, timeouts: Timeouts) -> None:
        self._parameters = parameters
        self._max_connections = max_connections
        self.seconds = timeouts.connection.total_seconds()
        self._is_closed = False
        self._reset()
        follow_forks(self, Pool.begin_anew)

    @contextmanager
    def lend(self) -> Iterator[Connection]:
        """A connection outside of any transaction, not known to be dead. A transaction left open is rolled back.

        Raises `PoolExhaustedError`, `StoreUnavailableError` and `StoreClosedError`.
        """
        pool = self._get_pool()
        connection = self._borrow_living(pool)
        try:
            yield connection
        finally:
            self._put_back(pool, connection)

    def close(self) -> None:
        """Close the idle connections now, and the others when they are returned."""
        with self._lock:
            self._is_closed, pool = True, self._pool
        if pool:
            pool.close()

    def begin_anew(self) -> None:
        """After a fork, in the child: abandon the parent's connections."""
        if self._pool:
            _abandoned.append(self._pool)
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._lent = 0
        self._pool: ConnectionPool[Connection] | None = None

    def _borrow_living(self, pool: ConnectionPool[Connection]) -> Connection:
        deadline = monotonic() + self.seconds
        while True:
            connection = self._borrow(pool, max(deadline - monotonic(), 0.001))
            if not has_unread(connection):
                return connection
            connection.close()
            self._put_back(pool, connection)

    def _borrow(self, pool: ConnectionPool[Connection], seconds: float) -> Connection:
        try:
            connection = pool.getconn(timeout=seconds)
        except PoolClosed as error:
            raise StoreClosedError from error
        except PoolTimeout as error:
            if self._lent >= self._max_connections:
                raise PoolExhaustedError(self._max_connections, self.seconds) from error
            raise StoreUnavailableError(f"no connection could be made within {self.seconds:g} s") from error
        with self._lock:
            self._lent += 1
        return connection

    def _put_back(self, pool: ConnectionPool[Connection], connection: Connection) -> None:
        if pool is not self._pool:
            return  # borrowed before the fork: it is the parent's
        try:
            if not connection.closed and connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.rollback()
        except psycopg.Error:
            connection.close()
        finally:
            with self._lock:
                self._lent -= 1
            pool.putconn(connection)

    def _get_pool(self) -> ConnectionPool[Connection]:
        with self._lock:
            if self._is_closed:
                raise StoreClosedError
            if self._pool is None:
                self._pool = self._make_pool()
            return self._pool

    def _make_pool(self) -> ConnectionPool[Connection]:
        return ConnectionPool(
            kwargs=self._parameters,
            min_size=0,
            max_size=self._max_connections,
            reconnect_timeout=self.seconds,  # after which the next request starts afresh instead of waiting longer
            name="prebuilds",
            open=True,
        )


class Loan:
    """A connection for the length of a block. As long as nothing was done over it, it can be changed for another."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._borrowed = ExitStack()
        self.deadline = monotonic() + pool.seconds

    def __enter__(self) -> Self:
        self.change()
        return self

    def __exit__(self, *_: object) -> None:
        self._borrowed.close()

    def change(self) -> None:
        """Return the connection and take another. Raises what `Pool.lend` raises."""
        self._borrowed.close()
        self.connection = self._borrowed.enter_context(self._pool.lend())


def has_unread(connection: Connection) -> bool:
    """Whether the server has sent something that nobody asked for: the end of the session, as a rule."""
    socket = connection.pgconn.socket
    if not hasattr(select, "poll"):  # on Windows
        return bool(select.select([socket], [], [], 0)[0])
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
