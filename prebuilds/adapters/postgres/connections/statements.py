"""How the roles of a transaction run their statements.

- Every value is bound. The text of a statement consists of constants only. Of those that share a trip psycopg makes
  one text, with the values as literals.
- What begins the transaction goes with its first statement, if that is such a text too, or else before it. If the
  connection turns out to be dead then, another one is tried, as nothing has been done yet. With a commit in the same
  message nobody knows.
- Statements with parameters share a trip in libpq's pipeline mode. psycopg ends that with a Flush, after which the
  server no longer minds how long the transaction is idle. So one more statement follows it at once.
- A read-only transaction refuses to write, and can go on after the refusal.
- An error ends the transaction, as in PostgreSQL itself, unless it leaves a `nested` part: then only that part is lost.
  If the caller catches the error and goes on, the commit raises it again.
- After a fork within a transaction, the child can run nothing in it: the connection is its parent's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.errors import IdleInTransactionSessionTimeout
from psycopg.pq import TransactionStatus

from prebuilds.adapters.postgres.connections.connecting import Connection
from prebuilds.adapters.postgres.connections.failures import WRONG_SERVER, translate
from prebuilds.adapters.postgres.connections.pool import Loan
from prebuilds.adapters.rows import Row
from prebuilds.errors import (
    CommitUnknownError,
    ForkedStoreError,
    ReadOnlyTransactionError,
    StoreUnavailableError,
    TransactionEndedError,
)

Answer = TypeVar("Answer")
_COMMIT = "COMMIT"
_REFUSALS = (IdleInTransactionSessionTimeout, *WRONG_SERVER)  # after which nothing was committed


class Statements:
    """The statements of one transaction. `opening` are those that begin it."""

    def __init__(self, loan: Loan, *, opening: Sequence[str], read_only: bool, began: float) -> None:
        self._loan = loan
        self._due = list(opening)
        self._has_begun = False
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
        """The rows of each query. The queries change nothing. The first of them go with what is due, in one trip."""
        *first, last = queries

        def fetch_first(due: Sequence[bytes]) -> list[list[Row]]:
            cursors = [self._connection.cursor(binary=True) for _ in first]
            with self._connection.pipeline():  # what ends it waits for all answers
                for text in due:
                    self._connection.execute(text)
                for cursor, (sql, parameters) in zip(cursors, first, strict=True):
                    cursor.execute(sql.encode(), parameters)
            return [cursor.fetchall() for cursor in cursors]

        return [*self._send(fetch_first), self._execute(*last)]

    def fetch_one(self, sql: str, **parameters: Any) -> Row | None:
        """The first row of such a query; None if it has none."""
        return next(iter(self._execute(sql, parameters)), None)

    def write(self, sql: str, **parameters: Any) -> list[Row]:
        """Run a statement that changes something. Returns its rows. Raises `ReadOnlyTransactionError`."""
        if self._read_only:
            raise ReadOnlyTransactionError
        return self._execute(sql, parameters)

    def write_text(self, sql: str, **parameters: Any) -> list[Row]:
        """As `write`, in one trip with what is due. The statement returns only texts and whole numbers."""
        self.write_next(sql, **parameters)
        return self._send_due()

    def write_next(self, sql: str, **parameters: Any) -> None:
        """Run a statement before the next one, in the same trip as the commit if that comes next.

        What it raises, except `ReadOnlyTransactionError`, is raised then.
        """
        self._due.append(self._make_text(sql, parameters))

    def write_late(self, sql: str, **parameters: Any) -> None:
        """Run a statement in the same trip as the commit, or when `catch_up` is called. Raises what `write` does.

        It locks its rows for a shorter time. Nothing else in the transaction may depend on it without `catch_up`.
        """
        self._late.append(self._make_text(sql, parameters))

    def catch_up(self) -> None:
        """Run what `write_late` has left for the commit."""
        if self._late:
            self._due += self._late
            self._late = []
            self._send_due()

    @contextmanager
    def nested(self) -> Iterator[None]:
        """A part of the transaction that can be rolled back alone."""
        self.catch_up()
        name = f"nested_{self._depth}"
        self._execute(f"SAVEPOINT {name}", {})
        self._depth += 1
        try:
            yield
            self._due.append(f"RELEASE {name}")
            self._send_due()
        except BaseException:
            self._leave(name)
            raise
        finally:
            self._depth -= 1

    def commit(self) -> None:
        """Commit the transaction. Raises `CommitUnknownError`, or the earlier error that prevents the commit."""
        self._require_open()
        if self._has_begun and self._connection.info.transaction_status is not TransactionStatus.INTRANS:
            raise self._error or TransactionEndedError
        try:
            self._due += [*self._late, _COMMIT]
            self._send_due()
        except StoreUnavailableError as error:
            if self._read_only or not self._connection.closed or isinstance(error.__cause__, _REFUSALS):
                raise
            raise CommitUnknownError(error.problem) from error

    def end(self) -> None:
        """Let nothing run any more."""
        self._has_ended = True

    def _leave(self, name: str) -> None:
        self._late = []
        if not self._has_ended and not self._connection.closed:
            self._due = [f"ROLLBACK TO {name}; RELEASE {name}"]
            self._send_due()
            self._error = None

    def _execute(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        self._send_due()
        with self._translating(), self._connection.cursor(binary=True) as cursor:
            cursor.execute(sql.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def _send_due(self) -> list[Row]:
        """Run what is due, as one message. Returns the rows of the last statement."""
        self._require_open()
        return self._send(self._run) if self._due else []

    def _run(self, due: Sequence[bytes]) -> list[Row]:
        with self._connection.cursor() as cursor:
            cursor.execute(b";".join(due))
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def _send(self, run: Callable[[Sequence[bytes]], Answer]) -> Answer:
        """What `run` makes of what is due. If this begins the transaction, a dead connection is changed for another."""
        self._require_open()
        due, self._due = self._due, []
        is_first, self._has_begun = not self._has_begun, True
        while True:
            try:
                with self._translating():
                    return run([text.encode(self._connection.info.encoding) for text in due])
            except StoreUnavailableError as error:
                if not (is_first and self._can_begin_again(due, error)):
                    raise
            self._loan.change()
            self._error = None

    def _can_begin_again(self, due: Sequence[str], error: StoreUnavailableError) -> bool:
        is_lost = self._connection.closed and not isinstance(error.__cause__, WRONG_SERVER)
        is_undone = self._read_only or due[-1] != _COMMIT
        return is_lost and is_undone and monotonic() < self._loan.deadline

    def _make_text(self, sql: str, parameters: dict[str, Any]) -> str:
        if self._read_only:
            raise ReadOnlyTransactionError
        self._require_open()
        with self._translating():
            return psycopg.ClientCursor(self._connection).mogrify(sql.encode(), parameters)

    @property
    def _connection(self) -> Connection:
        return self._loan.connection

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
