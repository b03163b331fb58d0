"""Lending connections, each with a transaction that has begun.

- The connections are a pool of psycopg: first come, first served.
- Settings hold for one transaction (SET LOCAL), so that they work behind PgBouncer too. They go to the server in the
  same message as BEGIN.
- If a connection turns out to be dead at BEGIN, another one is tried, as nothing has been done yet.
- A forked process makes its own connections when it needs them. It takes none of its parent's locks, which a thread
  that was not copied may hold, and never touches its parent's connections.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from prebuilds.adapters.postgres.connections.connecting import Connection
from prebuilds.adapters.postgres.connections.failures import make_unavailable_error
from prebuilds.adapters.postgres.connections.timeouts import Timeouts, count_milliseconds
from prebuilds.errors import PoolExhaustedError, StoreClosedError, StoreUnavailableError
from prebuilds.runtime.forks import follow_forks
from prebuilds.runtime.ports import Isolation

_LEVELS = {Isolation.READ_COMMITTED: "READ COMMITTED", Isolation.REPEATABLE_READ: "REPEATABLE READ"}

_abandoned: list[ConnectionPool[Connection]] = []  # of a parent process; they must not even be closed


class Pool:
    """Connections to one database, whose transactions see the tables of one schema."""

    def __init__(self, parameters: dict[str, Any], schema: str, *, max_connections: int, timeouts: Timeouts) -> None:
        self._parameters = parameters
        self._settings = _make_settings(schema, timeouts)
        self._max_connections = max_connections
        self._seconds = timeouts.connection.total_seconds()
        self._is_closed = False
        self._reset()
        follow_forks(self, Pool.begin_anew)

    @contextmanager
    def lend(self, *, isolation: Isolation, read_only: bool) -> Iterator[Connection]:
        """A connection in a transaction. The borrower ends the transaction; one left open is rolled back.

        Raises `PoolExhaustedError`, `StoreUnavailableError` and `StoreClosedError`.
        """
        pool = self._get_pool()
        begin = f"BEGIN ISOLATION LEVEL {_LEVELS[isolation]}{' READ ONLY' if read_only else ''}; {self._settings}"
        connection = self._begin(pool, begin.encode())
        try:
            yield connection
        finally:
            self._put_back(pool, connection)

    @contextmanager
    def lend_idle(self) -> Iterator[Connection]:
        """A connection outside of any transaction, for a statement that is a transaction of its own.

        It is none that is known to be dead. Raises what `lend` raises.
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

    def _begin(self, pool: ConnectionPool[Connection], begin: bytes) -> Connection:
        deadline = monotonic() + self._seconds
        while True:
            connection = self._borrow(pool, max(deadline - monotonic(), 0.001))
            try:
                connection.execute(begin)
            except psycopg.OperationalError as error:
                self._put_back(pool, connection)
                if monotonic() >= deadline:
                    raise make_unavailable_error(error) from error
            except BaseException:
                self._put_back(pool, connection)
                raise
            else:
                return connection

    def _borrow_living(self, pool: ConnectionPool[Connection]) -> Connection:
        deadline = monotonic() + self._seconds
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
                raise PoolExhaustedError(self._max_connections, self._seconds) from error
            raise StoreUnavailableError(f"no connection could be made within {self._seconds:g} s") from error
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
            reconnect_timeout=self._seconds,  # after which the next request starts afresh instead of waiting longer
            name="prebuilds",
            open=True,
        )


def has_unread(connection: Connection) -> bool:
    """Whether the server has sent something that nobody asked for: the end of the session, as a rule."""
    socket = connection.pgconn.socket
    if not hasattr(select, "poll"):  # on Windows
        return bool(select.select([socket], [], [], 0)[0])
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


def _make_settings(schema: str, timeouts: Timeouts) -> str:
    """The statement that sets up a transaction. It takes the snapshot too, so reads see the state at the beginning."""
    settings = {
        "search_path": sql.SQL("{}, pg_temp").format(sql.Identifier(schema)).as_string(None),
        "statement_timeout": str(count_milliseconds(timeouts.statement)),
        "lock_timeout": str(count_milliseconds(timeouts.lock)),
        "jit": "off",  # compiling would take longer than any statement here
        "idle_in_transaction_session_timeout": str(count_milliseconds(timeouts.idle)),
    }
    calls = [sql.SQL("set_config({}, {}, true)").format(name, value) for name, value in settings.items()]
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls)).as_string(None)
