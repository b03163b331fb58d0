"""A statement that is a transaction of its own, in one trip to the server.

- Isolation and time-outs go in the same message. The server makes one transaction of a message, so they hold for this
  statement alone, and PgBouncer may give each call another session. The schema is not set: the statement names it.
- psycopg puts the values into the text, as literals. A message of several statements can have no parameters.
- If the connection is lost, nobody knows whether the statement was committed.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

import psycopg

from prebuilds.adapters.postgres.connections.failures import is_wrong_server, translate
from prebuilds.adapters.postgres.connections.pool import Pool
from prebuilds.adapters.postgres.connections.timeouts import Timeouts, count_milliseconds
from prebuilds.adapters.rows import Row
from prebuilds.errors import CommitUnknownError, StoreUnavailableError


class SingleCalls:
    """Runs such statements over the connections of a pool."""

    def __init__(self, pool: Pool, timeouts: Timeouts) -> None:
        self._pool = pool
        self._settings = (
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"
            f"SET LOCAL statement_timeout = {count_milliseconds(timeouts.statement)};"
            f"SET LOCAL lock_timeout = {count_milliseconds(timeouts.lock)};"
        )

    def fetch_one(self, sql: str, parameters: dict[str, Any]) -> Row:
        """Run a statement, and return the one row that it answers with.

        Raises `CommitUnknownError`, and what a transaction raises.
        """
        began = monotonic()
        with self._pool.lend_idle() as connection:
            try:
                cursor = psycopg.ClientCursor(connection)
                cursor.execute((self._settings + sql).encode(), parameters)
                while cursor.nextset():
                    pass
                (row,) = cursor.fetchall()
            except psycopg.Error as error:
                failure = _fail(error, connection, began)
                if failure is error:
                    raise
                raise failure from error
            return row


def _fail(error: psycopg.Error, connection: psycopg.Connection[Any], began: float) -> Exception:
    is_lost = connection.closed
    if is_wrong_server(error):
        connection.close()  # so that the pool replaces it
    failure = translate(error, seconds=monotonic() - began, is_closed=is_lost)
    if is_lost and isinstance(failure, StoreUnavailableError):
        return CommitUnknownError(failure.problem)
    return failure
