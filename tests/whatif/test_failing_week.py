"""A week of 40 presets whose builds fail, with the policies for production and without (R14, R16, R18, R19)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import attrs

from prebuilds import HARDENED, Budget, Policy, Preset
from prebuilds.whatif import LognormalLeadTime, Scenario, SimulationResult, Trace, generate_poisson, simulate
from prebuilds.whatif.simulation.event_log import EventLog
from prebuilds.whatif.simulation.lifetimes import Lifetimes, LossReason
from prebuilds.whatif.traces.ticks import count_ticks

BEGIN = datetime(2026, 11, 23, tzinfo=timezone.utc)
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BUDGET = Budget(max_starting=20)
NAMES = [f"preset-{number:02}" for number in range(40)]
SETTINGS = {
    "ready_deadline": 10 * MINUTE,
    "build_deadline": 30 * MINUTE,
    "ttl_jitter": 0.2,
    "refresh_ahead": 30 * MINUTE,
    "max_surge": 2,
}


@cache
def make_claims() -> dict[str, Trace]:
    """Each preset is claimed every two hours on average."""
    return {
        name: generate_poisson(0.5, begin=BEGIN, end=BEGIN + WEEK, seed=number) for number, name in enumerate(NAMES)
    }


def simulate_week(policy: Policy, **settings: Any) -> SimulationResult:
    """40 presets of 2 with a ttl of 4 hours, a budget of 20 starts, and 5 + 1 % of builds that go wrong."""
    scenario = Scenario(
        fleet=[Preset(id=name, desired_instances=2, ttl=4 * HOUR, **settings) for name in NAMES],
        lead_time=LognormalLeadTime(median=6 * MINUTE, p95=12 * MINUTE),
        failure_rate=0.05,
        never_ready_rate=0.01,
        policy=attrs.evolve(policy, budgets=[BUDGET]),
    )
    return simulate(scenario, make_claims(), seed=1)


@cache
def simulate_hardened() -> SimulationResult:
    return simulate_week(HARDENED, **SETTINGS)


@cache
def simulate_original() -> SimulationResult:
    return simulate_week(Policy())


def count_emptied(result: SimulationResult) -> int:
    """How often a pool had nothing left to claim at an instant at which one of its prebuilds expired."""
    return sum(
        pool.eligible.find_count(at) == 0
        for log, pool in zip(result.pools, map(Lifetimes, result.pools), strict=True)
        for at in set(pool.lost[LossReason.EXPIRED])
        if at <= log.end
    )


def count_late(log: EventLog) -> int:
    """How many starts and prebuilds are there at the end, past their deadline."""
    deadline = count_ticks(SETTINGS["ready_deadline"])
    return sum(log.ended[number] + deadline < log.end < log.gone[number] for number in log.never_ready)


def test_the_policies_keep_the_pools_filled() -> None:
    """More hits than without them, no pool emptied by its ttl, and nothing stuck left at the end."""
    hardened, original = simulate_hardened(), simulate_original()
    assert hardened.hit_rate > original.hit_rate
    assert (count_emptied(hardened), sum(map(count_late, hardened.pools))) == (0, 0)


def test_without_them_pools_empty_and_a_stuck_prebuild_stays() -> None:
    """What the policies are for: the same claims, builds and budget, decided as the original does."""
    original = simulate_original()
    assert count_emptied(original) > 0
    assert sum(map(count_late, original.pools)) > 0
