"""Claims on PostgreSQL, beside pgbench's simple update on the same server, with as many sessions.

Users in 8 processes take 10,000 prebuilds of one preset, each once, with request ids. Both sides commit to the disk. In
each round pgbench runs before and after the claims of 64 sessions; the ratio is to the mean of both. All sessions have
made a claim before the clock starts. On a machine that is busy otherwise, Python's part of a claim suffers more than
pgbench, and more sessions get a larger part of the machine. So the table tells the CPU time of a claim too, of the
claimers and, on Linux, of the server. Exits with 1 when a prebuild is claimed twice or not at all, or when a ratio is
far from its goal.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from statistics import median
from threading import Barrier
from time import perf_counter, process_time

import attrs
import pgbench
import psycopg
import server_seconds
import servers
from rich.console import Console
from rich.table import Table

from prebuilds import Preset
from prebuilds.adapters.postgres import PostgresStore, Timeouts
from prebuilds.runtime import Claims

PREBUILDS = 10_000
PROCESSES = 8
SESSIONS = (16, 64, 256)
COMPARED = 64  # sessions, of claims and of pgbench
ROUNDS = 3
SECONDS = 4  # of each run of pgbench
SCHEMA = "prebuilds_bench"
TIMEOUTS = Timeouts(connection=timedelta(minutes=1), lock=timedelta(minutes=1), statement=timedelta(minutes=2))

OF_RELEASE_01 = 0.10  # the ratio of its claims to pgbench
# Each with its goal, and with what is an error.
MIN_RATIO, GOAL_RATIO = 0.3, 0.55
MAX_P99, GOAL_P99 = 16.0, 8.0  # as a ratio to pgbench's mean latency
MIN_FLATNESS, GOAL_FLATNESS = 0.4, 0.75  # of the slowest number of sessions to the fastest
MIN_EVENNESS, GOAL_EVENNESS = 0.6, 0.75  # the same of the CPU time of a claim


@attrs.frozen(kw_only=True)
class Got:
    """What one process got: ids of workspaces, seconds for each claim, when it began and ended, and CPU seconds.

    The first process has those of the server too.
    """

    workspace_ids: tuple[str, ...]
    seconds: tuple[float, ...]
    began: float
    ended: float
    cpu_seconds: float


@attrs.frozen(kw_only=True)
class Run:
    """The claims of all processes together."""

    claims: int
    rate: float  # claims per second
    cost: float  # CPU milliseconds of a claim
    p99: float  # seconds
    is_whole: bool


@attrs.frozen(kw_only=True)
class Round:
    """Runs by their number of sessions, and pgbench's transactions per second."""

    runs: dict[int, Run]
    simple_updates: float

    @property
    def ratio(self) -> float:
        return self.runs[COMPARED].rate / self.simple_updates

    @property
    def p99(self) -> float:
        """The slowest claim in a hundred, as a ratio to the mean latency of pgbench."""
        return self.runs[COMPARED].p99 * self.simple_updates / COMPARED

    @property
    def flatness(self) -> float:
        rates = [run.rate for run in self.runs.values()]
        return min(rates) / max(rates)

    @property
    def evenness(self) -> float:
        costs = [run.cost for run in self.runs.values()]
        return min(costs) / max(costs)


class _Process:
    """What a process of the pool is given once."""

    together: Barrier


def _prepare(together: Barrier) -> None:
    _Process.together = together


def _run_process(dsn: str, process: int, sessions: int) -> Got:
    """Claim with so many sessions until nothing is left, all processes at once."""
    with PostgresStore(dsn, schema=SCHEMA, max_connections=sessions, timeouts=TIMEOUTS) as store:
        claims, ready = Claims(store), Barrier(sessions)

        def warm_up(thread: int) -> None:
            ready.wait(timeout=60)
            claims.claim("warm", owner_id=f"{process} {thread}", name="warm", request_id=f"warm {process} {thread}")

        def run(thread: int) -> tuple[list[str], list[float]]:
            return _claim_all(claims, f"{process} {thread}")

        with ThreadPoolExecutor(sessions) as executor:
            list(executor.map(warm_up, range(sessions)))
            _Process.together.wait(timeout=120)
            used = process_time() + (server_seconds.read_server_seconds(dsn) if process == 0 else 0)
            began = perf_counter()
            parts = list(executor.map(run, range(sessions)))
            ended = perf_counter()
            _Process.together.wait(timeout=120)  # before any session of the server ends
            used = process_time() + (server_seconds.read_server_seconds(dsn) if process == 0 else 0) - used
            _Process.together.wait(timeout=120)
    return Got(
        workspace_ids=tuple(workspace_id for part, _ in parts for workspace_id in part),
        seconds=tuple(second for _, part in parts for second in part),
        began=began,
        ended=ended,
        cpu_seconds=used,
    )


def _claim_all(claims: Claims, owner_id: str) -> tuple[list[str], list[float]]:
    workspace_ids: list[str] = []
    seconds: list[float] = []
    while True:
        name = f"mine {len(seconds)}"
        begin = perf_counter()
        claim = claims.claim("p", owner_id=owner_id, name=name, request_id=f"{owner_id} {name}")
        if claim.workspace is None:
            return workspace_ids, seconds
        seconds.append(perf_counter() - begin)
        workspace_ids.append(claim.workspace.id)


def fill(dsn: str) -> None:
    """Nothing but the prebuilds that are to be claimed, and one for each session to make a first claim of."""
    with PostgresStore(dsn, schema=SCHEMA) as store, store.transaction() as tx:
        for preset_id in ("p", "warm"):
            tx.put_preset(Preset(id=preset_id, desired_instances=1))
    with psycopg.connect(dsn, autocommit=True, options=f"-c search_path={SCHEMA}") as connection:
        connection.execute("TRUNCATE workspaces, builds, claims, counters, claim_counts, outbox")
        for preset_id, count in (("p", PREBUILDS), ("warm", max(SESSIONS))):
            connection.execute(
                "INSERT INTO workspaces (id, name, owner_id, preset_id, template_id, parameters, created_at, ready,"
                " build_id, build_transition, build_status, build_version_id, build_created_at, build_finished_at)"
                " SELECT %(preset)s || n, 'n', 'prebuilds', %(preset)s, '', '{}', now() + n * interval '1 s', true,"
                " %(preset)s || n, 'start', 'succeeded', '', now(), now() FROM generate_series(1, %(count)s) AS n",
                {"preset": preset_id, "count": count},
            )
        connection.execute("VACUUM ANALYZE")


def measure_claims(executor: ProcessPoolExecutor, dsn: str, sessions: int) -> Run:
    """Have all prebuilds claimed by so many sessions."""
    fill(dsn)
    runs = [executor.submit(_run_process, dsn, process, sessions // PROCESSES) for process in range(PROCESSES)]
    got = [run.result() for run in runs]
    claimed = [workspace_id for part in got for workspace_id in part.workspace_ids]
    seconds = sorted(second for part in got for second in part.seconds)
    return Run(
        claims=len(claimed),
        cost=1_000 * sum(part.cpu_seconds for part in got) / len(claimed),
        rate=len(claimed) / (max(part.ended for part in got) - min(part.began for part in got)),
        p99=seconds[len(seconds) * 99 // 100],
        is_whole=len(claimed) == len(set(claimed)) == PREBUILDS,
    )


def measure_round(executor: ProcessPoolExecutor, dsn: str, measure_pgbench: Callable[[], float]) -> Round:
    before = measure_pgbench()
    runs = {COMPARED: measure_claims(executor, dsn, COMPARED)}
    simple_updates = (before + measure_pgbench()) / 2
    runs |= {sessions: measure_claims(executor, dsn, sessions) for sessions in SESSIONS if sessions != COMPARED}
    return Round(runs=runs, simple_updates=simple_updates)


def show(console: Console, rounds: list[Round]) -> None:
    table = Table(title=f"Claims of {PREBUILDS:,} prebuilds of one preset on PostgreSQL, by {PROCESSES} processes")
    for header in ("pgbench/s", "claims/s, 64 sessions", "as a ratio", "p99 / mean of pgbench"):
        table.add_column(header, justify="right")
    for sessions in SESSIONS:
        table.add_column(f"{sessions} / 64", justify="right")
    table.add_column("CPU ms a claim", justify="right")
    for measured in rounds:
        run = measured.runs[COMPARED]
        cells = (f"{measured.simple_updates:,.0f}", f"{run.rate:,.0f}", f"{measured.ratio:.2f}", f"{measured.p99:.1f}")
        rates = (f"{measured.runs[sessions].rate / run.rate:.2f}" for sessions in SESSIONS)
        table.add_row(*cells, *rates, " ".join(f"{measured.runs[sessions].cost:.2f}" for sessions in SESSIONS))
    console.print(table)


def judge(console: Console, rounds: list[Round]) -> bool:
    """Whether all limits are kept, by the medians of the rounds."""
    is_whole = all(run.is_whole for measured in rounds for run in measured.runs.values())
    console.print("every prebuild was claimed once" if is_whole else "a prebuild was claimed twice or not at all")
    ratio = median(measured.ratio for measured in rounds)
    p99 = median(measured.p99 for measured in rounds)
    flatness = median(measured.flatness for measured in rounds)
    evenness = median(measured.evenness for measured in rounds)
    for what, limits in (
        (
            f"claims to simple updates: {ratio:.2f}",
            f"goal {GOAL_RATIO}, at least {MIN_RATIO}; release 0.1: {OF_RELEASE_01:.2f}",
        ),
        (f"p99 to the mean latency of pgbench: {p99:.1f}", f"goal {GOAL_P99:g}, at most {MAX_P99:g}"),
        (
            f"slowest number of sessions to the fastest: {flatness:.2f}",
            f"goal {GOAL_FLATNESS}, at least {MIN_FLATNESS}",
        ),
        (
            f"the same of the CPU time of a claim: {evenness:.2f}",
            f"goal {GOAL_EVENNESS}, at least {MIN_EVENNESS}",
        ),
    ):
        console.print(f"{what} ({limits})", highlight=False)
    return is_whole and ratio >= MIN_RATIO and p99 <= MAX_P99 and flatness >= MIN_FLATNESS and evenness >= MIN_EVENNESS


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    program = pgbench.find_pgbench()
    if program is None:
        console.print("there is no pgbench to compare with")
        return 1
    context = multiprocessing.get_context("spawn")
    with (
        servers.run_server({"max_connections": str(max(SESSIONS) + 50)}) as dsn,
        ProcessPoolExecutor(PROCESSES, context, _prepare, (context.Barrier(PROCESSES),)) as executor,
        console.status("measuring"),
    ):
        pgbench.make_tables(program, dsn)

        def measure_pgbench() -> float:
            return pgbench.measure_simple_updates(program, dsn, sessions=COMPARED, seconds=SECONDS)

        rounds = [measure_round(executor, dsn, measure_pgbench) for _ in range(ROUNDS)]
        pgbench.drop_tables(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    show(console, rounds)
    return int(not judge(console, rounds))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
