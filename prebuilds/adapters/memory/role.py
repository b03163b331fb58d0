"""What the roles of a transaction share: the tables, and the check that the transaction may write."""

from __future__ import annotations

from prebuilds.adapters.memory.tables import Tables
from prebuilds.errors import ReadOnlyTransactionError


class Role:
    """A part of a transaction."""

    def __init__(self, tables: Tables, *, read_only: bool) -> None:
        self.tables = tables
        self._read_only = read_only

    def _own(self, *names: str) -> Tables:
        """The tables, with the named ones made safe to write to. Raises `ReadOnlyTransactionError`."""
        if self._read_only:
            raise ReadOnlyTransactionError
        return self.tables.own(*names)
