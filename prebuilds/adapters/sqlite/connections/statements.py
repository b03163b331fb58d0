"""How the roles of a transaction run their statements.

- Every value is bound. The text of a statement consists of constants only.
- Nothing runs after the transaction has ended, as another may have the connection by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
        """Run a statement. Returns the number of rows it wrote."""
        return self._require_open().execute(sql, parameters).rowcount

    def run_all(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row of parameters. It is compiled once."""
        self._require_open().execute_all(sql, rows)

    def fetch(self, sql: str, *parameters: Any) -> list[Row]:
        """All rows of a query."""
        return self._require_open().execute(sql, parameters).fetchall()

    def fetch_one(self, sql: str, *parameters: Any) -> Row | None:
        """The first row of a query; None if it has none."""
        row: Row | None = self._require_open().execute(sql, parameters).fetchone()
        return row

    def has(self, sql: str, *parameters: Any) -> bool:
        """Whether a query has any row."""
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
        """Whether the transaction is still there: for some disk errors SQLite itself ends it."""
        return self._connection is not None and self._connection.in_transaction

    def end(self) -> None:
        """Let nothing run any more."""
        self._connection = None

    def _require_open(self) -> Connection:
        if self._connection is None or not self.is_open:
            raise TransactionEndedError
        return self._connection


class Role:
    """A part of a transaction: one of the roles of the ports, over the transaction's statements."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
