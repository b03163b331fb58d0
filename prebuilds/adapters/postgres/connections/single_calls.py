"""A call of a function that is a transaction of its own, in one trip to the server.

- Isolation and the time-out for locks go in the same message. The server makes one transaction of a message, so they
  hold for this call alone, and PgBouncer may give each call another session. The functions need no search path.
- There is no time-out for the statement: its timer would cost more than the whole message. Functions called in this way
  wait for a few locks, each no longer than a statement may take, and do nothing else that takes time.
- libpq puts the arguments into the text, as literals. A message of several statements can have no parameters.
- The message goes to libpq directly. psycopg's cursors would take most of the time of a call.
- If the connection is lost, nobody knows whether the call was committed.
"""

from __future__ import annotations

from datetime import datetime
from time import monotonic

import psycopg
from psycopg import sql
from psycopg.errors import error_from_result
from psycopg.pq import Escaping, ExecStatus
from psycopg.pq.abc import PGresult

from prebuilds.adapters.postgres.connections.connecting import Connection
from prebuilds.adapters.postgres.connections.failures import close_if_lost, translate
from prebuilds.adapters.postgres.connections.pool import Pool
from prebuilds.adapters.postgres.connections.timeouts import Timeouts, count_milliseconds
from prebuilds.errors import CommitUnknownError, StoreUnavailableError

Argument = str | datetime | bool | None


class SingleCalls:
    """Calls functions of one schema, over the connections of a pool."""

    def __init__(self, pool: Pool, schema: str, timeouts: Timeouts) -> None:
        self._pool = pool
        self._schema = sql.Identifier(schema).as_string(None)
        self._settings = (
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"
            f"SET LOCAL lock_timeout = {count_milliseconds(min(timeouts.lock, timeouts.statement))};"
        ).encode()

    def call(self, function: str, *arguments: Argument) -> tuple[str | None, ...]:
        """Call a function, and return the one row that it answers with, as text.

        Raises `CommitUnknownError`, and what a transaction raises.
        """
        began = monotonic()
        with self._pool.lend() as connection:
            try:
                return self._run(connection, function, arguments)
            except psycopg.Error as error:
                failure = _explain(error, connection, began)
                if failure is error:
                    raise
                raise failure from error

    def _run(self, connection: Connection, function: str, arguments: tuple[Argument, ...]) -> tuple[str | None, ...]:
        encoding = connection.info.encoding
        escape = Escaping(connection.pgconn).escape_literal
        literals = [b"NULL" if value is None else escape(_to_text(value).encode(encoding)) for value in arguments]
        name = f"{self._schema}.{function}".encode(encoding)
        result = send(connection, b"%sSELECT * FROM %s(%s)" % (self._settings, name, b",".join(literals)))
        if result.status != ExecStatus.TUPLES_OK:
            raise error_from_result(result, encoding=encoding)
        values = [result.get_value(0, column) for column in range(result.nfields)]
        return tuple([None if value is None else bytes(value).decode(encoding) for value in values])


def send(connection: Connection, text: bytes) -> PGresult:
    """Send a message, and wait for the result of its last statement, or of the one that failed. Others may run."""
    return connection.pgconn.exec_(text)


def _to_text(value: str | datetime | bool) -> str:  # noqa: FBT001 - it is a value
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _explain(error: psycopg.Error, connection: Connection, began: float) -> Exception:
    is_lost = close_if_lost(error, connection)
    failure = translate(error, connection, seconds=monotonic() - began)
    if is_lost and isinstance(failure, StoreUnavailableError):
        return CommitUnknownError(failure.problem)
    return failure
