"""What the roles of a transaction run their statements with.

- Every value is bound. The text of a statement is made of constants alone.
- When the transaction has ended, nothing can be run any more, as the connection is somebody else's then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prebuilds.adapters.rows import Row
from prebuilds.adapters.sqlite.connections.connection import Connection
from prebuilds.errors import TransactionEndedError


class Statements:
    """The statements of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection

    def run(self, sql: str, *parameters: Any) -> int:
        """Run a statement; how many rows it has written to."""
        return self._require_open().execute(sql, parameters).rowcount

    def fetch(self, sql: str, *parameters: Any) -> list[Row]:
        """All rows that a statement gives."""
        return self._require_open().execute(sql, parameters).fetchall()

    def fetch_one(self, sql: str, *parameters: Any) -> Row | None:
        """The one row that a statement gives, or the first of several; None if it gives none."""
        row: Row | None = self._require_open().execute(sql, parameters).fetchone()
        return row

    def has(self, sql: str, *parameters: Any) -> bool:
        """Whether a statement gives any row."""
        return self.fetch_one(sql, *parameters) is not None

    @contextmanager
    def nested(self) -> Iterator[None]:
        """A part of the transaction that can be rolled back alone."""
        self.run("SAVEPOINT nested")  # the name means the innermost that is open
        try:
            yield
        except BaseException:
            if self.is_open:
                self.run("ROLLBACK TO nested")
                self.run("RELEASE nested")
            raise
        self.run("RELEASE nested")

    @property
    def is_open(self) -> bool:
        """Whether the transaction is there still: some errors of the disk end it within SQLite."""
        return self._connection is not None and self._connection.in_transaction

    def end(self) -> None:
        """Run nothing any more."""
        self._connection = None

    def _require_open(self) -> Connection:
        if self._connection is None or not self.is_open:
            raise TransactionEndedError
        return self._connection


class Role:
    """A part of a transaction: one of the roles of the ports, over the transaction's statements."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
