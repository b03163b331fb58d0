"""What the loop costs at 100,000 presets with one prebuild each, on SQLite and PostgreSQL, and how soon it refills.

First a read of everything and its plan, and the same for one of four shards. Then the loop runs in a process of its own
while this one claims ten prebuilds a second. The share of a core is what the loop's process used meanwhile, per second
of the clock. The wait is from the end of a claim until the builder is asked for its replacement.

Exits with 1 when a replacement is missing, and when the loop uses a larger share of a core than aimed at. The other
aims are for a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import gc
import math
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic, perf_counter, process_time, sleep
from typing import IO

import attrs
import servers
from bench_postgres import SCHEMA, fill_pools
from rich.console import Console
from rich.table import Table

from prebuilds import Policy, Preset, TemplateVersion, Transition, plan
from prebuilds.adapters.postgres import PostgresPubSub, PostgresStore, Timeouts
from prebuilds.adapters.rows import PRESET_COLUMNS
from prebuilds.adapters.sqlite import SQLitePubSub, SQLiteStore
from prebuilds.runtime import (
    ALL_PRESETS,
    SYSTEM_CLOCK,
    BuildRequest,
    Claims,
    Isolation,
    OutboxRelay,
    PubSub,
    Reconciler,
    ReconciliationResult,
    Selection,
    Shard,
    Store,
    read_fleet,
)

PRESETS = 100_000
CLAIMS_PER_SECOND = 10
SECONDS = 60
POLL = timedelta(milliseconds=50)  # of the pubsub of SQLite, which reads its table at an interval
QUARTER = Selection(shard=Shard(index=0, count=4))
_PATIENT = Timeouts(connection=timedelta(minutes=1), lock=timedelta(minutes=1), statement=timedelta(minutes=2))
# Of release 0.1, on two cores: a pass over everything took 5 s, every 15 s; each shard read all rows.
RELEASE_01 = {"read and plan": "5 s", "one of four shards": "5 s", "core": "33 % idle", "p99": "up to 5 s"}
AIMS = {"read and plan": 2.5, "one of four shards": 0.7, "core": 0.15, "p99": 0.1}


@attrs.frozen(kw_only=True)
class Measured:
    """Seconds, but for `core`, the share of one core."""

    first: float
    whole: float
    quarter: float
    core: float
    waits: Sequence[float]
    claimed: int

    @property
    def p99(self) -> float:
        return sorted(self.waits)[len(self.waits) * 99 // 100] if self.waits else math.inf

    def list_values(self) -> dict[str, float]:
        """By the names of `AIMS`."""
        return {"read and plan": self.whole, "one of four shards": self.quarter, "core": self.core, "p99": self.p99}


def fill_file(path: Path, presets: int) -> None:
    """So many presets at their target of one prebuild, in a new file."""
    with SQLiteStore(path, survives_power_loss=False) as store:
        with store.transaction() as tx:
            tx.put_preset(Preset(id="first", desired_instances=1, template_version=TemplateVersion(id="v")))
        columns = ", ".join(PRESET_COLUMNS[1:])
        numbers = f"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {presets})"
        with store.session(read_only=False) as session:
            session.run(
                f"{numbers} INSERT INTO presets (id, preset_hash, {columns})"
                f" SELECT 'preset ' || n, hash_preset('preset ' || n), {columns} FROM numbers, presets"
            )
            session.run("DELETE FROM presets WHERE id = 'first'")
            now = SYSTEM_CLOCK.now().timestamp() * 1e6 // 1
            session.run(
                "INSERT INTO workspaces (id, name, owner_id, preset_id, preset_hash, template_id, created_at, ready,"
                " deleted, failed_deletes, last_number, parameters)"
                " SELECT 'w ' || id, id, 'prebuilds', id, preset_hash, '', ?, 1, 0, 0, 1, '{}' FROM presets",
                int(now),
            )
            session.run(
                "INSERT INTO builds (id, workspace_id, number, preset_id, transition, status, template_version_id,"
                " created_at, finished_at, submitted) SELECT 'b ' || id, 'w ' || id, 1, id, 'start', 'succeeded', 'v',"
                " ?, ?, 1 FROM presets",
                int(now),
                int(now),
            )


def measure_read(store: Store, selection: Selection) -> float:
    """Seconds to read these presets and plan for them, as a pass does."""
    gc.collect()
    began, now = perf_counter(), SYSTEM_CLOCK.now()
    gc.disable()  # as a pass over everything does
    with store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
        fleet = read_fleet(tx, now=now, policy=Policy(), selection=selection)
        made = plan(fleet.snapshot, now=now)
    gc.enable()
    assert not any(decision.actions for decision in made)
    return perf_counter() - began


@contextmanager
def open_store(address: str) -> Iterator[tuple[Store, PubSub]]:
    """The store at a path or a DSN, and its pubsub."""
    if Path(address).is_file():
        with SQLiteStore(address) as store, closing(SQLitePubSub(store, interval=POLL)) as pubsub:
            yield store, pubsub
    else:
        with (
            PostgresStore(address, schema=SCHEMA, timeouts=_PATIENT) as server,
            closing(PostgresPubSub(server)) as notices,
        ):
            yield server, notices


def _say(*words: object) -> None:
    sys.stdout.write(f"{' '.join(map(str, words))}\n")
    sys.stdout.flush()


class TellingBuilder:
    """Prints the preset of each start that it is asked for, and when."""

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        if request.transition is Transition.START:
            _say("start", monotonic(), request.preset_id)


def run_loop(address: str) -> None:
    """The loop's process. It prints when everything was looked at, and the seconds of CPU from then on at the end."""
    used = math.nan

    def note(_: ReconciliationResult) -> None:
        nonlocal used
        if math.isnan(used):
            gc.collect()
            used = process_time()
            _say("ready")

    with open_store(address) as (store, pubsub):
        reconciler = Reconciler(store, TellingBuilder(), pubsub=pubsub, on_result=note)
        threading.Thread(target=lambda: (sys.stdin.read(), reconciler.request_stop()), daemon=True).start()
        reconciler.run()
        _say("used", process_time() - used)


@attrs.define
class LoopProcess:
    """The loop in another process, and what it prints."""

    address: str
    starts: dict[str, float] = attrs.field(factory=dict)
    used: float = math.nan
    _is_ready: threading.Event = attrs.field(factory=threading.Event)

    @contextmanager
    def run(self) -> Iterator[None]:
        command = [sys.executable, __file__, "--loop", self.address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            reader = threading.Thread(target=self._read, args=(process.stdout,))
            reader.start()
            assert self._is_ready.wait(300), "the loop does not begin"
            yield
            process.stdin.close()
            reader.join()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            what, *rest = line.rstrip("\n").split(" ", 2)
            if what == "ready":
                self._is_ready.set()
            elif what == "used":
                self.used = float(rest[0])
            else:
                self.starts[rest[1]] = float(rest[0])


def measure_loop(address: str, presets: int, seconds: int) -> tuple[float, list[float], int]:
    """The share of a core, the waits for replacements, and how many prebuilds were claimed."""
    loop, claimed = LoopProcess(address), dict[str, float]()
    with open_store(address) as (store, pubsub), loop.run():
        claims, began = Claims(store, relay=OutboxRelay(store, pubsub)), monotonic()
        for number in range(seconds * CLAIMS_PER_SECOND):
            sleep(max(began + number / CLAIMS_PER_SECOND - monotonic(), 0))
            preset_id = f"preset {1 + number * 7_919 % presets}"
            if claims.claim(preset_id, owner_id="user", name=f"desk {number}").workspace:
                claimed[preset_id] = monotonic()
        sleep(1)  # for the last replacement
        elapsed = monotonic() - began
    waits = [loop.starts[preset_id] - at for preset_id, at in claimed.items() if preset_id in loop.starts]
    return loop.used / elapsed, waits, len(claimed)


def measure(address: str, presets: int, seconds: int) -> Measured:
    with open_store(address) as (store, _):
        quarter = measure_read(store, QUARTER)
    with open_store(address) as (store, _):
        first = measure_read(store, ALL_PRESETS)
        whole = measure_read(store, ALL_PRESETS)
    core, waits, claimed = measure_loop(address, presets, seconds)
    return Measured(first=first, whole=whole, quarter=quarter, core=core, waits=waits, claimed=claimed)


def show(console: Console, presets: int, results: dict[str, Measured]) -> None:
    table = Table(title=f"The loop at {presets:,} presets, {CLAIMS_PER_SECOND} claims a second")
    for header in ("measure", *results, "aim", "release 0.1, at 100,000 presets"):
        table.add_column(header, justify="left" if header == "measure" else "right")
    for what, aim in AIMS.items():
        values = [result.list_values()[what] for result in results.values()]
        table.add_row(what, *(_tell(what, value) for value in values), _tell(what, aim), RELEASE_01[what])
    firsts = [f"{result.first:.2f} s" for result in results.values()]
    table.add_row("first read and plan", *firsts, "", RELEASE_01["read and plan"])
    medians = [f"{statistics.median(result.waits) * 1_000:.0f} ms" for result in results.values()]
    table.add_row("median wait", *medians, "", "")
    console.print(table)


def _tell(what: str, value: float) -> str:
    if what == "core":
        return f"{value:.1%}"
    return f"{value * 1_000:.0f} ms" if what == "p99" else f"{value:.2f} s"


def main(presets: int, seconds: int) -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    results: dict[str, Measured] = {}
    with console.status("measuring"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "store.db")
            fill_file(path, presets)
            results["SQLite"] = measure(str(path), presets, seconds)
        with servers.run_server({}) as dsn:
            PostgresStore(dsn, schema=SCHEMA).close()
            fill_pools(dsn, presets)
            results["PostgreSQL"] = measure(dsn, presets, seconds)
    show(console, presets, results)
    is_whole = all(len(result.waits) == result.claimed > 0 for result in results.values())
    console.print("every claim was replaced" if is_whole else "a replacement is missing")
    is_within = all(result.core <= AIMS["core"] for result in results.values())
    return int(not (is_whole and is_within))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", type=int, default=PRESETS, help="how many presets (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long to claim (default: %(default)s)")
    parser.add_argument("--loop", metavar="ADDRESS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        run_loop(options.loop)
        sys.exit(0)
    sys.exit(main(options.presets, options.seconds))
