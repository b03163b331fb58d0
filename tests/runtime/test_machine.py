"""After any sequence of events, pools reach their targets within three rounds, and stay there."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from servers import Database

from prebuilds.adapters.memory import MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.runtime import Store
from runtime.machine import PoolMachine


class MemoryMachine(PoolMachine):
    """On the memory store."""

    def make_store(self) -> Store:
        return MemoryStore()


class SQLiteMachine(PoolMachine):
    """On SQLite, with a file of its own for each example."""

    def make_store(self) -> Store:
        folder = self.resources.enter_context(TemporaryDirectory())
        store = SQLiteStore(Path(folder) / "pool.db", max_connections=2)
        self.resources.callback(store.close)
        return store


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=100, stateful_step_count=30)
TestSQLite = SQLiteMachine.TestCase
TestSQLite.settings = settings(max_examples=40, stateful_step_count=30)


def test_postgres(database: Database) -> None:
    """On PostgreSQL, with a schema of its own for each example."""

    class PostgresMachine(PoolMachine):
        def make_store(self) -> Store:
            store = database.make_new_store(max_connections=2)
            self.resources.callback(store.close)
            return store

    run_state_machine_as_test(PostgresMachine, settings=settings(max_examples=15, stateful_step_count=30))  # type: ignore[no-untyped-call]
