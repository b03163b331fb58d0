"""A transaction of the memory store: the rows of its own copy of the tables, with the library's guards."""

from __future__ import annotations

from prebuilds.adapters.memory.capabilities import MemoryRows
from prebuilds.adapters.memory.tables import Tables
from prebuilds.runtime.row_transactions import RowTransaction


class MemoryTransaction(RowTransaction):
    """Every role and every capability; `rows.tables` is what will be committed."""

    rows: MemoryRows

    def __init__(self, tables: Tables, *, read_only: bool) -> None:
        super().__init__(MemoryRows(tables), read_only=read_only)
