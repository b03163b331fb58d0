"""A transaction of the memory store: every role of the ports, over its own copy of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prebuilds.adapters.memory.reads import FleetReads
from prebuilds.adapters.memory.settings import Settings
from prebuilds.adapters.memory.tables import Tables
from prebuilds.adapters.memory.workspaces import Workspaces


class MemoryTransaction(FleetReads, Workspaces, Settings):
    """All roles together; `tables` is what will be committed."""

    def __init__(self, tables: Tables, *, read_only: bool) -> None:
        super().__init__(tables.fork(), read_only=read_only)

    @contextmanager
    def nested(self) -> Iterator[None]:
        before = self.tables
        self.tables = before.fork()
        try:
            yield
        except BaseException:
            self.tables = before
            raise
