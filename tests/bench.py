"""How long a plan takes, as a ratio to one bare pass over the same rows, and what importing the library costs.

Absolute times say nothing on a shared machine; both sides of each ratio are measured in the same run, turn about, and
the best of several turns counts. Exits with 1 when a limit is passed.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from random import Random
from time import perf_counter
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table

from prebuilds import (
    HARDENED,
    Budget,
    GlobalSnapshot,
    Prebuild,
    Preset,
    Schedule,
    TemplateVersion,
    dump_snapshot,
    load_snapshot,
    plan,
)
from prebuilds.decision.schedules.timetables import Timetable, compile_schedules
from prebuilds.decision.targets import find_next_target_change

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)
SIZES = ((1_000, 10_000), (10_000, 100_000), (30_000, 300_000))
LIMITED_SIZE = 1  # the one that the limit of the plan's ratio is for
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
MAX_PLAN_RATIO = 8.0
MAX_SLOPE = 1.15
MAX_POLICY_RATIO = 1.5
MAX_IMPORT_RATIO = 2.0
MAX_EDGE_RATIO = 500.0
MAX_KEPT_EDGE_RATIO = 2.0


@attrs.frozen(kw_only=True)
class Timing:
    """Seconds, the best of several turns, for one size of fleet."""

    presets: int
    rows: int
    group: float
    plan: float
    states: float
    build: float
    changes: float
    load: float
    peak: int

    @property
    def ratio(self) -> float:
        return self.plan / self.group


def make_fleet(presets: int, rows: int, *, seed: int = 1) -> GlobalSnapshot:
    """A fleet of which a third has schedules, in five zones, and a part is expired, inactive or too large."""
    random = Random(seed)
    return GlobalSnapshot(
        presets=[make_preset(number, random) for number in range(presets)],
        running=[
            Prebuild(
                id=f"w{number}",
                preset_id=f"p{random.randrange(presets)}",
                created_at=NOW - timedelta(seconds=random.randrange(100_000)),
                ready=random.random() < 0.9,
            )
            for number in range(rows)
        ],
    )


def make_preset(number: int, random: Random) -> Preset:
    begin, length = random.randrange(12), random.randrange(1, 11)
    week = Schedule(cron=f"* {begin}-{begin + length} * * 1-5", instances=random.randrange(20))
    weekend = Schedule(cron=f"* {begin}-{begin + length} * * 0,6", instances=random.randrange(5))
    return Preset(
        id=f"p{number}",
        desired_instances=random.randrange(20),
        ttl=timedelta(hours=24) if number % 2 else None,
        timezone=ZONES[number % len(ZONES)],
        schedules=(week, weekend) if number % 3 == 0 else (),
        template_version=TemplateVersion(is_active=random.random() < 0.9),
    )


def group_rows(rows: Sequence[Prebuild]) -> dict[str, list[Prebuild]]:
    """The bare pass that everything is compared with."""
    groups: dict[str, list[Prebuild]] = {}
    for row in rows:
        groups.setdefault(row.preset_id, []).append(row)
    return groups


def measure(*tasks: Callable[[], object], turns: int = 9) -> list[float]:
    """The best time of each task in seconds, measured turn about without the garbage collector, as `timeit` does."""
    best = [math.inf] * len(tasks)
    for _ in range(turns):
        for index, task in enumerate(tasks):
            gc.collect()
            gc.disable()
            begin = perf_counter()
            result = task()
            best[index] = min(best[index], perf_counter() - begin)
            gc.enable()
            del result
    return best


def measure_size(presets: int, rows: int) -> Timing:
    fleet = make_fleet(presets, rows)
    text = json.dumps(dump_snapshot(fleet))
    group, planned, states = measure(
        lambda: group_rows(fleet.running),
        lambda: plan(fleet, now=NOW),
        lambda: [decision.state for decision in plan(fleet, now=NOW)],
    )
    build, changes = measure(lambda: attrs.evolve(fleet), lambda: plan(fleet, now=NOW).next_change_at, turns=3)
    (load,) = measure(lambda: plan(load_snapshot(json.loads(text)), now=NOW), turns=1)
    tracemalloc.start()
    plan(fleet, now=NOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Timing(
        presets=presets,
        rows=rows,
        group=group,
        plan=planned,
        states=states,
        build=build,
        changes=changes,
        load=load,
        peak=peak,
    )


EVERY_SETTING: dict[str, Any] = {
    "ready_deadline": timedelta(minutes=10),
    "build_deadline": timedelta(minutes=30),
    "ttl_jitter": 0.05,
    "refresh_ahead": timedelta(minutes=30),
    "max_surge": 2,
}
EVERY_POLICY = attrs.evolve(HARDENED, backoff_jitter=0.1)
ENOUGH = Budget(max_starting=10**6, max_creates_per_pass=10**6, max_creates_per_minute=10**6, max_instances=10**7)
SCARCE = Budget(max_creates_per_pass=10_000)  # of about 20,000 that are wanted


def measure_policies(presets: int, rows: int) -> list[float]:
    """A plan with every policy on, as ratios to one with none: without budgets, with one that is enough, and not."""
    fleet = make_fleet(presets, rows)
    full = attrs.evolve(fleet, presets=[attrs.evolve(preset, **EVERY_SETTING) for preset in fleet.presets])
    policies = [attrs.evolve(EVERY_POLICY, budgets=budgets) for budgets in ((), (ENOUGH,), (SCARCE,))]
    plain, *others = measure(
        lambda: plan(fleet, now=NOW), *(partial(plan, full, now=NOW, policy=policy) for policy in policies)
    )
    return [other / plain for other in others]


def measure_imports(*modules: str, turns: int = 25) -> list[float]:
    """Seconds to import each module in a fresh interpreter, its byte code already written: the best of many turns."""
    settings = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    best = [math.inf] * len(modules)
    with tempfile.TemporaryDirectory() as empty:  # not the checkout, whose package would shadow the installed one
        for _ in range(turns):
            for index, module in enumerate(modules):
                code = f"from time import perf_counter as t; a = t(); import {module}; print(t() - a)"
                command = [sys.executable, "-c", code]
                done = subprocess.run(command, capture_output=True, check=True, cwd=empty, env=settings)
                best[index] = min(best[index], float(done.stdout))
    return best


def measure_edges() -> tuple[float, float]:
    """The next edge of a window of eleven months, from its begin: looked for, and kept; as ratios to one look at it."""
    now = NOW.replace(month=1, day=1)
    schedule = Schedule(cron="* * * 1-11 *", instances=1)
    preset = Preset(id="p", desired_instances=0, timezone="Europe/Berlin", schedules=[schedule])
    timetable = compile_schedules(preset.schedules, preset.timezone)
    if not isinstance(timetable, Timetable):
        raise TypeError(timetable)
    look, found, kept = measure(
        lambda: [timetable.get_opening(now) for _ in range(1_000)],
        lambda: [timetable.find_next_edge(now) for _ in range(10)],
        lambda: [find_next_target_change(preset, now) for _ in range(1_000)],
    )
    return 100 * found / look, kept / look


def find_slope(timings: Sequence[Timing]) -> float:
    """The slope of log time over log size between the smallest and the largest fleet: 1 if a preset costs the same."""
    first, last = timings[0], timings[-1]
    return math.log(last.plan / first.plan) / math.log(last.rows / first.rows)


def show(timings: Sequence[Timing], console: Console) -> None:
    table = Table(title="Time as a ratio to one bare pass that groups the same rows by preset in a dict")
    table.add_column("fleet: presets / prebuilds")
    for header in ("plan", "plan, all states", "snapshot", "plan, next change", "JSON to plan", "peak memory"):
        table.add_column(header, justify="right")
    for timing in timings:
        times = (timing.plan, timing.states, timing.build, timing.changes, timing.load)
        ratios = [f"{time / timing.group:.1f}" for time in times]
        table.add_row(f"{timing.presets:,} / {timing.rows:,}", *ratios, f"{timing.peak / 2**20:.1f} MiB")
    console.print(table)


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    with console.status("measuring"):
        timings = [measure_size(*size) for size in SIZES]
        ours, theirs = measure_imports("prebuilds", "attrs")
        edge, kept_edge = measure_edges()
        all_policies, enough, scarce = measure_policies(*SIZES[LIMITED_SIZE])
    show(timings, console)
    presets, rows = SIZES[LIMITED_SIZE]
    size = f"{presets:,} / {rows:,}"
    results = (
        (f"plan at {size}, as a ratio to the bare pass", timings[LIMITED_SIZE].ratio, MAX_PLAN_RATIO),
        ("log-log slope of plan over size", find_slope(timings), MAX_SLOPE),
        (f"plan at {size} with every policy, as a ratio to none", all_policies, MAX_POLICY_RATIO),
        ("the same with a budget that is enough", enough, MAX_POLICY_RATIO),
        ("import of prebuilds, as a ratio to that of attrs", ours / theirs, MAX_IMPORT_RATIO),
        ("the end of a window of eleven months, as a ratio to one look at whether it is open", edge, MAX_EDGE_RATIO),
        ("the same, asked again before it has passed, as that ratio", kept_edge, MAX_KEPT_EDGE_RATIO),
    )
    for what, value, limit in results:
        console.print(f"{what}: {value:.2f} (limit {limit:g})", highlight=False)
    console.print(f"the same with a budget for half of the creates: {scarce:.2f} (no limit)", highlight=False)
    return int(any(value > limit for _, value, limit in results))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
