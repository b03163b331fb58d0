"""How the roles of a transaction run their statements.

- Every value is bound. The text of a statement consists of constants only. Of those that go with the commit psycopg
  makes one text, with the values as literals.
- A read-only transaction refuses to write, and can go on after the refusal.
- An error ends the transaction, as in PostgreSQL itself, unless it leaves a `nested` part: then only that part is lost.
  If the caller catches the error and goes on, the commit raises it again.
- After a fork within a transaction, the child can run nothing in it: the connection is its parent's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg
from psycopg.errors import IdleInTransactionSessionTimeout
from psycopg.pq import TransactionStatus

from prebuilds.adapters.postgres.connections.connecting import Connection
from prebuilds.adapters.postgres.connections.failures import translate
from prebuilds.adapters.rows import Row
from prebuilds.errors import (
    CommitUnknownError,
    ForkedStoreError,
    ReadOnlyTransactionError,
    StoreUnavailableError,
    TransactionEndedError,
)


class Statements:
    """The statements of one transaction, which has begun."""

    def __init__(self, connection: Connection, *, read_only: bool, began: float) -> None:
        self._connection = connection
        self._read_only = read_only
        self._began = began
        self._process = os.getpid()
        self._depth = 0
        self._late: list[str] = []
        self._error: Exception | None = None
        self._has_ended = False

    def fetch(self, sql: str, **parameters: Any) -> list[Row]:
        """All rows of a query that changes nothing."""
        return self._execute(sql, parameters)

    def fetch_all(self, *queries: tuple[str, dict[str, Any]]) -> list[list[Row]]:
        """The rows of each query, all in one trip to the server. The queries change nothing."""
        self._require_open()
        cursors = [self._connection.cursor(binary=True) for _ in queries]
        with self._translating():
            with self._connection.pipeline():  # what ends it waits for all answers
                for cursor, (sql, parameters) in zip(cursors, queries, strict=True):
                    cursor.execute(sql.encode(), parameters)
            return [cursor.fetchall() for cursor in cursors]

    def fetch_one(self, sql: str, **parameters: Any) -> Row | None:
        """The first row of such a query; None if it has none."""
        return next(iter(self._execute(sql, parameters)), None)

    def write(self, sql: str, **parameters: Any) -> list[Row]:
        """Run a statement that changes something. Returns its rows. Raises `ReadOnlyTransactionError`."""
        if self._read_only:
            raise ReadOnlyTransactionError
        return self._execute(sql, parameters)

    def write_late(self, sql: str, **parameters: Any) -> None:
        """Run a statement in the same trip as the commit, or when `catch_up` is called. Raises what `write` does.

        It locks its rows for a shorter time. Nothing else in the transaction may depend on it without `catch_up`.
        """
        if self._read_only:
            raise ReadOnlyTransactionError
        self._require_open()
        with self._translating():
            self._late.append(psycopg.ClientCursor(self._connection).mogrify(sql.encode(), parameters))

    def catch_up(self) -> None:
        """Run what `write_late` has left for the commit."""
        if self._late:
            late, self._late = self._late, []
            self._execute(";".join(late), None)

    @contextmanager
    def nested(self) -> Iterator[None]:
        """A part of the transaction that can be rolled back alone."""
        self.catch_up()
        name = f"nested_{self._depth}"
        self._execute(f"SAVEPOINT {name}", {})
        self._depth += 1
        try:
            yield
        except BaseException:
            self._leave(name)
            raise
        finally:
            self._depth -= 1
        self._execute(f"RELEASE {name}", {})

    def commit(self) -> None:
        """Commit the transaction. Raises `CommitUnknownError`, or the earlier error that prevents the commit."""
        self._require_open()
        if self._connection.info.transaction_status is not TransactionStatus.INTRANS:
            raise self._error or TransactionEndedError
        try:
            self._execute(";".join([*self._late, "COMMIT"]), None)
        except StoreUnavailableError as error:
            if self._read_only or isinstance(error.__cause__, IdleInTransactionSessionTimeout):
                raise
            raise CommitUnknownError(error.problem) from error

    def end(self) -> None:
        """Let nothing run any more."""
        self._has_ended = True

    def _leave(self, name: str) -> None:
        self._late = []
        if not self._has_ended and not self._connection.closed:
            self._execute(f"ROLLBACK TO {name}; RELEASE {name}", None)
            self._error = None

    def _execute(self, sql: str, parameters: dict[str, Any] | None) -> list[Row]:
        self._require_open()
        with self._translating(), self._connection.cursor(binary=parameters is not None) as cursor:
            cursor.execute(sql.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """Raise errors of the driver as errors of this library, and remember them for the commit."""
        try:
            yield
        except psycopg.Error as error:
            failure = self._fail(error)
            if failure is error:
                raise
            raise failure from error

    def _require_open(self) -> None:
        if self._has_ended:
            raise TransactionEndedError
        if self._process != os.getpid():
            raise ForkedStoreError("the store")

    def _fail(self, error: psycopg.Error) -> Exception:
        failure = translate(error, self._connection, seconds=monotonic() - self._began)
        self._error = self._error or failure
        return failure


class Role:
    """A part of a transaction: one of the roles of the ports, over the transaction's statements."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
