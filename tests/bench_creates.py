"""Creates with a builder that takes no time: one pass fills 20 presets of 100, on PostgreSQL and on SQLite.

Beside them, in the same run: pgbench's simple update on that server, with 64 sessions; and a bare loop of BEGIN
IMMEDIATE, INSERT, COMMIT on a file. On SQLite neither waits for the disk, or nothing else would be measured, and a
second is one of CPU time, as other work on the machine slows threads down more than a loop. The round with the median
ratio counts. Exits with 1 when a limit is passed.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time

import pgbench
import psycopg
import servers
from rich.console import Console
from rich.table import Table

from prebuilds import Preset
from prebuilds.adapters.postgres import PostgresStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.runtime import BuildRequest, Reconciler, Store

PRESETS, EACH = 20, 100
ROUNDS = 3
SECONDS = 4  # of a run of pgbench
SESSIONS = 64  # of pgbench
SCHEMA = "prebuilds_bench"

POSTGRES_01, SQLITE_01 = 0.08, 0.05  # the ratios of release 0.1
GOAL_POSTGRES, MIN_POSTGRES = 0.35, 0.35
GOAL_SQLITE, MIN_SQLITE = 5 * SQLITE_01, 4 * SQLITE_01


class _Builder:
    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:
        """Take the build, and do nothing."""


def measure_creates(store: Store, clock: Callable[[], float]) -> float:
    """Creates per second of the clock, in a pass over empty pools."""
    with store.transaction() as tx:
        for number in range(PRESETS):
            tx.put_preset(Preset(id=f"p{number}", desired_instances=EACH))
    reconciler = Reconciler(store, _Builder())
    began = clock()
    result = reconciler.reconcile_all()
    elapsed = clock() - began
    reconciler.stop()
    assert len(result.done) == PRESETS * EACH, result
    return PRESETS * EACH / elapsed


def measure_sqlite() -> tuple[float, float]:
    """Creates per second of CPU time, and inserts of the bare loop."""
    with tempfile.TemporaryDirectory() as folder:
        with SQLiteStore(Path(folder, "store.db"), survives_power_loss=False) as store:
            creates = measure_creates(store, process_time)
        return creates, measure_inserts(Path(folder, "bare.db"))


def measure_inserts(path: Path) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, value INTEGER)")
    began = process_time()
    for number in range(PRESETS * EACH):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO bare VALUES (?, ?)", (f"w{number}", number))
        connection.execute("COMMIT")
    elapsed = process_time() - began
    connection.close()
    return PRESETS * EACH / elapsed


def measure_postgres(dsn: str) -> float:
    """Creates per second."""
    with PostgresStore(dsn, schema=SCHEMA) as store:
        creates = measure_creates(store, perf_counter)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    return creates


def measure_updates(program: str, dsn: str) -> float:
    """Simple updates per second."""
    return pgbench.measure_simple_updates(program, dsn, sessions=SESSIONS, seconds=SECONDS)


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(title=f"Creates of {PRESETS * EACH:,} prebuilds by a builder that takes no time")
    for header in ("store", "creates/s", "beside it, /s", "ratio", "ratio of 0.1", "goal"):
        table.add_column(header, justify="right")
    with console.status("measuring"):
        ratios = [add_sqlite(table), *add_postgres(table)]
    console.print(table)
    return int(not all(ratios))


def add_sqlite(table: Table) -> bool:
    creates, inserts = select_median([measure_sqlite() for _ in range(ROUNDS)])
    add_row(table, "SQLite", creates, f"{inserts:,.0f} bare inserts", creates / inserts, SQLITE_01, GOAL_SQLITE)
    return creates / inserts >= MIN_SQLITE


def add_postgres(table: Table) -> list[bool]:
    program = pgbench.find_pgbench()
    with servers.run_server({}) as dsn:
        if not program:
            table.add_row("PostgreSQL", f"{measure_postgres(dsn):,.0f}", "no pgbench", "", "", "")
            return []
        pgbench.make_tables(program, dsn)
        rounds = [(measure_postgres(dsn), measure_updates(program, dsn)) for _ in range(ROUNDS)]
        pgbench.drop_tables(dsn)
    creates, updates = select_median(rounds)
    add_row(
        table, "PostgreSQL", creates, f"{updates:,.0f} simple updates", creates / updates, POSTGRES_01, GOAL_POSTGRES
    )
    return [creates / updates >= MIN_POSTGRES]


def select_median(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """The round with the median ratio."""
    return sorted(rounds, key=lambda rates: rates[0] / rates[1])[len(rounds) // 2]


def add_row(table: Table, *cells: str | float) -> None:
    table.add_row(
        *(cell if isinstance(cell, str) else f"{cell:,.0f}" if cell > 100 else f"{cell:.2f}" for cell in cells)
    )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
