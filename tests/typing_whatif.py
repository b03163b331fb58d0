"""A typed notebook, read by mypy and pyright and run by nobody: the calls of `prebuilds.whatif`, with their types."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from typing_extensions import assert_type

from prebuilds import Decision, Finding, GlobalSnapshot, PlanDiff, Preset
from prebuilds.whatif import (
    Comparison,
    Curve,
    HoldoutReport,
    Interval,
    Invalidation,
    LognormalLeadTime,
    Measures,
    Miss,
    Moment,
    OptionKind,
    PoolSize,
    Promotion,
    Recommendation,
    Scenario,
    SimulationResult,
    SizingOption,
    TargetFunction,
    TargetReplay,
    Timeline,
    Trace,
    check_supply,
    compare,
    edit_snapshot,
    generate_poisson,
    judge,
    predict,
    read_traces,
    recommend,
    replay_target,
    simulate,
    sweep,
    what_would_change,
)


def make_scenario(fleet: GlobalSnapshot, at: datetime) -> Scenario:
    """A fleet of any kind, and lead times of any kind."""
    preset = Preset(id="p", desired_instances=1)
    Scenario(fleet=preset, lead_time=timedelta(minutes=5))
    Scenario(fleet=[preset], lead_time={"p": timedelta(minutes=5)}, on_miss="wait")
    return Scenario(
        fleet=edit_snapshot(fleet, {"p": {"desired_instances": 2}}),
        lead_time=LognormalLeadTime(median=timedelta(minutes=5), p95=timedelta(minutes=9)),
        interval=timedelta(minutes=1),
        promotions=[Promotion(at=at)],
        invalidations=[Invalidation(at=at, preset_id="p")],
    )


def look_at(result: SimulationResult) -> None:
    """What a result tells."""
    assert_type(result.hits, int)
    assert_type(result.hit_rate, float)
    assert_type(result.mean_wait, timedelta)
    assert_type(result.measures, Measures)
    assert_type(result.timeline, Timeline)
    assert_type(list(result.timeline), list[Moment])
    assert_type(result.log, tuple[Decision, ...])
    assert_type(result.find_miss(0), Miss)
    assert_type(result.explain_miss(0), str)
    assert_type(result.to_dicts(), list[dict[str, Any]])
    assert_type(result.to_pandas(), pd.DataFrame)


def weigh(scenario: Scenario, fleet: GlobalSnapshot, begin: datetime, end: datetime) -> Comparison:
    """Simulations and comparisons of claims that are read and claims that are made."""
    look_at(simulate(scenario, read_traces("claims.csv"), seed=1, progress=True))

    def make_claims(seed: int) -> Trace:
        return generate_poisson(10, begin=begin, end=end, seed=seed)

    assert_type(what_would_change(fleet, {"p": {"ttl": None}}, now=begin), PlanDiff)
    comparison = compare({"today": scenario}, make_claims, seeds=range(3))
    assert_type(comparison.for_scenario("today").estimate("hit_rate"), Interval)
    return comparison


def size(claims: Trace, preset: Preset, at: datetime) -> Preset:
    """How many to keep, by measure, by formula and by the clock."""
    lead_time = timedelta(minutes=5)
    curve = sweep(claims, lead_time, on_miss="wait", sizes=range(9), wake_delay=timedelta(seconds=30))
    assert_type(curve, Curve)
    assert_type(curve.smallest(hit_rate=0.99), PoolSize)
    assert_type(curve.cheapest(idle_cost=0.2, miss_cost=5).mean_wait, timedelta)
    assert_type(predict(60, lead_time), Curve)
    assert_type(curve.to_pandas(), pd.DataFrame)
    past, future = claims.split_at(at)
    made = recommend(past, lead_time, hit_rate=0.99, timezone="Europe/Berlin", windows=3)
    assert_type(made, Recommendation)
    assert_type(made.chosen, SizingOption)
    assert_type(judge(made.find_option(OptionKind.SINGLE_SIZE), future, lead_time, on_miss="wait"), HoldoutReport)
    assert_type(judge(made, future, lead_time), HoldoutReport)
    return made.apply_to(preset)


class Twice:
    """A target function of a user's own."""

    def __init__(self) -> None:
        self.last = 0.0

    def note(self, at: float, *, is_hit: bool) -> None:
        self.last = at if is_hit else 0.0

    def bounds(self, now: float) -> tuple[int, int]:
        return (1, 2) if now < self.last + 60 else (1, 1)

    def until(self, now: float) -> float:
        return now + 60


def follow(trace: Trace) -> None:
    """What a pool that keeps to a target function would have had."""
    target: TargetFunction = Twice()
    done = replay_target(trace, timedelta(minutes=5), target, on_miss="wait", seed=1)
    assert_type(done, TargetReplay)
    assert_type(done.hit_rate, float)
    assert_type(done.steps, tuple[tuple[int, int, int], ...])


def check(preset: Preset, trace: Trace) -> None:
    """What cannot keep up with past claims."""
    assert_type(check_supply([preset], {"web": trace}, lead_time=timedelta(minutes=5)), tuple[Finding, ...])
