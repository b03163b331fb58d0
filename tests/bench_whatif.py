"""How fast a week is simulated, as a ratio to SimPy running the same pool, both in one run and turn about.

SimPy is given the leanest model of the pool: two processes, for the users and the loop, one more for each build, and
counts in plain variables. It decides by one subtraction. The simulation takes the decisions of production at every
round, on snapshots, and keeps what happened. That both have the same hits is checked. Exits with 1 when a limit is
passed.
"""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from time import perf_counter

import simpy
from rich.console import Console

from prebuilds import Preset
from prebuilds.whatif import Scenario, Trace, generate_poisson, simulate
from prebuilds.whatif.traces import count_ticks, to_ticks

BEGIN = datetime(2026, 11, 16, tzinfo=timezone.utc)
WEEK = timedelta(days=7)
MINUTE = timedelta(minutes=1)
CLAIMS = 100_000
SIZE = 60
LEAD_TIME = 5 * MINUTE
MIN_SIMULATE_RATIO = 1.0


def measure(*tasks: Callable[[], object], turns: int = 5) -> list[float]:
    """The best time of each task in seconds, measured turn about; the garbage collector runs as it does for users."""
    best = [math.inf] * len(tasks)
    for _ in range(turns):
        for index, task in enumerate(tasks):
            gc.collect()
            begin = perf_counter()
            result = task()
            best[index] = min(best[index], perf_counter() - begin)
            del result
    return best


def make_week() -> Trace:
    """Just so many claims, by chance over one week."""
    end = BEGIN + WEEK
    trace = generate_poisson(1.1 * CLAIMS / (WEEK / timedelta(hours=1)), begin=BEGIN, end=end, seed=1)
    kept = sorted(trace.ticks[place * len(trace) // CLAIMS] for place in range(CLAIMS))
    return Trace(ticks=kept, begin=BEGIN, end=end)


class SimPyPool:
    """The same pool in SimPy, its loop waking every minute; a claim that finds nothing is lost."""

    def __init__(self, trace: Trace) -> None:
        self.environment = simpy.Environment(initial_time=to_ticks(trace.begin))
        self.claims, self.end = trace.ticks, to_ticks(trace.end)
        self.ready, self.starting, self.hits = SIZE, 0, 0

    def run(self) -> int:
        self.environment.process(self.serve_users())
        self.environment.process(self.reconcile())
        self.environment.run(until=self.end)
        return self.hits

    def serve_users(self) -> Iterator[simpy.Event]:
        timeout, environment = self.environment.timeout, self.environment
        for claim in self.claims:
            yield timeout(claim - environment.now)
            if self.ready:
                self.ready -= 1
                self.hits += 1

    def reconcile(self) -> Iterator[simpy.Event]:
        process, timeout, interval = self.environment.process, self.environment.timeout, count_ticks(MINUTE)
        while True:
            for _ in range(SIZE - self.ready - self.starting):
                self.starting += 1
                process(self.build())
            yield timeout(interval)

    def build(self) -> Iterator[simpy.Event]:
        yield self.environment.timeout(count_ticks(LEAD_TIME))
        self.starting -= 1
        self.ready += 1


def measure_simulate(console: Console) -> bool:
    """Whether a week of production decisions is simulated at least as fast as SimPy runs the pool."""
    trace = make_week()
    scenario = Scenario(fleet=Preset(id="web", desired_instances=SIZE), lead_time=LEAD_TIME, interval=MINUTE)
    result = simulate(scenario, trace)
    assert (len(trace), result.rounds, result.hits) == (CLAIMS, 10_081, SimPyPool(trace).run())
    ours, theirs = measure(lambda: simulate(scenario, trace), lambda: SimPyPool(trace).run())
    ratio = theirs / ours
    console.print(
        f"simulate: {CLAIMS:,} claims and {result.rounds:,} rounds in {ours:.2f} s, SimPy in {theirs:.2f} s: "
        f"{ratio:.2f} times as fast (limit {MIN_SIMULATE_RATIO:g})",
        highlight=False,
    )
    return ratio >= MIN_SIMULATE_RATIO


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    return int(not measure_simulate(console))


if __name__ == "__main__":
    sys.exit(main())
