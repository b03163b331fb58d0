"""A pass with nothing to do on PostgreSQL, over ever more presets with one prebuild each.

The time to read them, to plan, and for the whole pass. Exits with 1 when a pass finds something to do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from time import perf_counter

import psycopg
import servers
from adapters.claimers import fill
from rich.console import Console
from rich.table import Table

from prebuilds import Policy, plan
from prebuilds.adapters.postgres import PostgresStore, Timeouts
from prebuilds.adapters.rows import PRESET_COLUMNS
from prebuilds.runtime import SYSTEM_CLOCK, Isolation, PassStatus, Reconciler, read_fleet

SIZES = (1_000, 10_000, 100_000)
SCHEMA = "prebuilds_bench"
_PATIENT = Timeouts(connection=timedelta(minutes=1), lock=timedelta(minutes=1), statement=timedelta(minutes=2))


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    with servers.run_server({}) as dsn, console.status("measuring"):
        PostgresStore(dsn, schema=SCHEMA).close()  # it has made the tables
        passes = [(presets, measure_pass(dsn, presets)) for presets in SIZES]
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    show_passes(console, passes)
    return 0


def fill_pools(dsn: str, presets: int) -> None:
    """So many presets at their target of one prebuild, in a schema without any."""
    with psycopg.connect(dsn, autocommit=True, options=f"-c search_path={SCHEMA}") as connection:
        connection.execute("TRUNCATE presets, workspaces, builds, claims, counters, claim_counts, outbox")
        with PostgresStore(dsn, schema=SCHEMA) as store:
            fill(store, 0)
        columns = ", ".join(PRESET_COLUMNS[3:])
        connection.execute(
            f"INSERT INTO presets (id, name, desired_instances, {columns})"
            f" SELECT 'preset ' || n, 'name', 1, {columns} FROM presets, generate_series(1, {presets}) AS n"
        )
        connection.execute(
            "INSERT INTO workspaces (id, name, owner_id, preset_id, template_id, created_at, ready,"
            " build_id, build_transition, build_status, build_version_id, build_created_at, build_finished_at)"
            " SELECT 'w' || id, 'n', 'prebuilds', id, '', now(), true, 'b' || id, 'start', 'succeeded', '', now(),"
            " now() FROM presets WHERE id LIKE 'preset %'"
        )
        connection.execute("VACUUM ANALYZE")


def measure_pass(dsn: str, presets: int) -> tuple[float, float, float]:
    """Seconds to read the fleet, to plan, and for a pass of a reconciler with nothing to do."""
    fill_pools(dsn, presets)
    with PostgresStore(dsn, schema=SCHEMA, timeouts=_PATIENT) as store:
        now, began = SYSTEM_CLOCK.now(), perf_counter()
        with store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
            fleet = read_fleet(tx, now=now, policy=Policy())
        read = perf_counter()
        plan(fleet.snapshot, now=now)
        planned = perf_counter()
        reconciler = Reconciler(store, _NoBuilder())
        result = reconciler.reconcile_all()
        passed = perf_counter()
        assert (result.status, result.presets) == (PassStatus.RECONCILED, ())
        reconciler.stop()  # so that the next one has the lease
        return read - began, planned - read, passed - planned


class _NoBuilder:
    def submit(self, *_: object, timeout: timedelta) -> None:
        raise NotImplementedError


def show_passes(console: Console, times: Sequence[tuple[int, tuple[float, float, float]]]) -> None:
    table = Table(title="A pass with nothing to do on PostgreSQL")
    for header in ("presets", "read", "plan", "pass", "us/preset"):
        table.add_column(header, justify="right")
    for presets, seconds in times:
        cells = [f"{second:.2f} s" for second in seconds]
        table.add_row(f"{presets:,}", *cells, f"{seconds[-1] / presets * 1e6:.0f}")
    console.print(table)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
