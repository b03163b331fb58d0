"""Claims under contention: how long each takes while many users want one at the same moment, and that all are served.

Everybody claims without a pause until the pool is empty, so that the mean time of a claim is the number of claimers
over the claims per second, whatever the store does. What the store can do is to be fair: the ratio of the slowest in a
hundred to the mean tells.

Claims of 64 users in 8 processes are compared with a bare loop on such a file, in one process: BEGIN IMMEDIATE, UPDATE
by key, COMMIT. It runs before and after the claims. Exits with 1 when a prebuild is claimed twice or not at all, or the
claims are far below their goal.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import fmean, median
from time import perf_counter

from adapters.claimers import Got, fill, run_processes, run_threads
from rich.console import Console
from rich.table import Table

from prebuilds.adapters.memory import MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore

PREBUILDS = 1_000
ROUNDS = 3
OF_RELEASE_01 = 0.11  # the ratio of its claims to the bare loop
MIN_RATIO, GOAL_RATIO = 0.12, 0.6


def measure_memory(threads: int) -> tuple[float, list[Got]]:
    store = MemoryStore()
    fill(store, PREBUILDS)
    begin = perf_counter()
    got = run_threads(store, [f"user {number}" for number in range(threads)])
    return perf_counter() - begin, got


def measure_sqlite(processes: int, threads: int, *, durable: bool) -> tuple[float, list[Got]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store.db")
        with SQLiteStore(path) as store:
            fill(store, PREBUILDS)
        got = run_processes(path, processes=processes, threads=threads, survives_power_loss=durable)
    # Processes take long to start, and begin together: from then on a claimer does nothing but claim.
    return max(sum(claimer.seconds) for claimer in got), got


def measure_bare_loop(*, durable: bool) -> float:
    """Updates per second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store.db")
        with SQLiteStore(path, survives_power_loss=durable) as store:
            fill(store, PREBUILDS)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            begin = perf_counter()
            for number in range(PREBUILDS):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE workspaces SET name = 'x' WHERE id = ?", (f"w{number}",))
                connection.execute("COMMIT")
            return PREBUILDS / (perf_counter() - begin)


def measure_ratio() -> float:
    """The claims per second of 64 users in 8 processes to the updates per second of the bare loop, both durable."""
    before = measure_bare_loop(durable=True)
    elapsed, _ = measure_sqlite(8, 8, durable=True)
    return PREBUILDS / elapsed / ((before + measure_bare_loop(durable=True)) / 2)


def is_whole(got: Sequence[Got]) -> bool:
    """Whether every prebuild was claimed, and none twice."""
    claimed = [workspace_id for claimer in got for workspace_id in claimer.workspace_ids]
    return len(claimed) == len(set(claimed)) == PREBUILDS


def add_row(table: Table, name: str, elapsed: float, got: Sequence[Got]) -> None:
    seconds = sorted(second for claimer in got for second in claimer.seconds)
    p50, p99 = seconds[len(seconds) // 2], seconds[len(seconds) * 99 // 100]
    mean = fmean(seconds)
    times = (f"{second * 1_000:.1f} ms" for second in (mean, p50, p99, seconds[-1]))
    table.add_row(name, f"{len(seconds) / elapsed:,.0f}", *times, f"{p99 / mean:.1f}")


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(title=f"Claims of {PREBUILDS:,} prebuilds")
    table.add_column("store, processes x threads")
    for header in ("claims/s", "mean", "median", "p99", "max", "p99 / mean"):
        table.add_column(header, justify="right")
    whole = True
    with console.status("measuring"):
        for processes, threads in ((1, 1), (1, 8), (1, 64), (8, 1), (8, 8)):
            if processes == 1:
                elapsed, got = measure_memory(threads)
                add_row(table, f"memory, 1 x {threads}", elapsed, got)
                whole &= is_whole(got)
            for durable in (False, True):
                elapsed, got = measure_sqlite(processes, threads, durable=durable)
                add_row(table, f"SQLite, {processes} x {threads}{', power loss' * durable}", elapsed, got)
                whole &= is_whole(got)
        ratio = median(measure_ratio() for _ in range(ROUNDS))
    console.print(table)
    limits = f"goal {GOAL_RATIO}, at least {MIN_RATIO}; release 0.1: {OF_RELEASE_01:.2f}"
    console.print(f"claims on SQLite to updates of a bare loop: {ratio:.2f} ({limits})", highlight=False)
    if not whole:
        console.print("a prebuild was claimed twice or not at all")
    return int(not whole or ratio < MIN_RATIO)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
