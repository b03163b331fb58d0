"""Scenarios for the tests of the simulation: small, and crowded around what turns a decision."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from hypothesis import strategies as st

from prebuilds import Budget, BudgetScope, Policy, Preset, Schedule
from prebuilds.whatif import (
    FixedLeadTime,
    Invalidation,
    LognormalLeadTime,
    MeasuredLeadTime,
    OnMiss,
    Promotion,
    Scenario,
    Trace,
)

BEGIN = datetime(2026, 11, 23, 8, 30, tzinfo=timezone.utc)  # a Monday
END = BEGIN + timedelta(hours=2)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
BUDGETS = (
    (Budget(max_starting=2),),
    (Budget(max_creates_per_minute=2),),
    (Budget(max_creates_per_pass=1), Budget(scope=BudgetScope.TEMPLATE, key="t", max_instances=4)),
)
WINDOW = Schedule(cron="* 9 * * *", instances=4)


class Case(NamedTuple):
    """What a simulation is called with."""

    scenario: Scenario
    trace: Trace
    seed: int


def make_preset(**changes: Any) -> Preset:
    return Preset(**{"id": "web", "desired_instances": 3, "timezone": "UTC", **changes})


def make_scenario(**changes: Any) -> Scenario:
    return Scenario(**{"fleet": make_preset(), "lead_time": 6 * MINUTE, **changes})


def make_trace(*offsets: timedelta, begin: datetime = BEGIN, end: datetime = END) -> Trace:
    """Claims at these times after the start."""
    return Trace.from_claims([begin + offset for offset in offsets], begin=begin, end=end)


def instants() -> st.SearchStrategy[datetime]:
    """Whole seconds of the span, many of them whole minutes, so that things happen at one instant."""
    seconds = st.one_of(st.integers(0, 120).map(lambda minutes: 60 * minutes), st.integers(0, 7_200))
    return seconds.map(lambda count: BEGIN + count * SECOND)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    return Trace.from_claims(draw(st.lists(instants(), max_size=40)), begin=BEGIN, end=END)


@st.composite
def presets(draw: st.DrawFn, preset_id: str = "web") -> Preset:
    return make_preset(
        id=preset_id,
        desired_instances=draw(st.integers(0, 4)),
        ttl=draw(st.sampled_from((None, None, 10 * MINUTE, 45 * MINUTE))),
        last_invalidated_at=draw(
            st.sampled_from((None, None, BEGIN - MINUTE, BEGIN, BEGIN + 33 * MINUTE, END + MINUTE))
        ),
        build_deadline=draw(st.sampled_from((None, 5 * MINUTE, 15 * MINUTE))),
        ready_deadline=draw(st.sampled_from((None, 10 * MINUTE))),
        schedules=draw(st.sampled_from(((), (WINDOW,), (Schedule(cron="* 9 * * *", instances=0),)))),
    )


def lead_times() -> st.SearchStrategy[Any]:
    measured = MeasuredLeadTime(samples=[timedelta(), 90 * SECOND, 20 * MINUTE])
    varied = LognormalLeadTime(median=5 * MINUTE, p95=15 * MINUTE)
    fixed = [FixedLeadTime(duration=duration) for duration in (SECOND, 4 * MINUTE, 6 * MINUTE)]
    return st.sampled_from((*fixed, measured, varied))


@st.composite
def promotions(draw: st.DrawFn) -> list[Promotion]:
    """One after the other, some of them of a candidate that was filled before."""
    made, since = [], BEGIN
    for at in sorted(draw(st.lists(instants(), max_size=2))):
        staged_at = draw(st.sampled_from((None, since, at, since + (at - since) / 2)))
        made.append(Promotion(at=at, staged_at=staged_at))
        since = at
    return made


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """One preset, with all that a scenario can have."""
    policy = Policy(
        backoff_interval=draw(st.sampled_from((MINUTE, 10 * MINUTE))),
        backoff_lookback=30 * MINUTE,
        failure_hard_limit=draw(st.sampled_from((0, 2))),
        max_creates=draw(st.sampled_from((1, 2, 1_000))),
        budgets=draw(st.sampled_from(((), (), *BUDGETS))),
    )
    scenario = Scenario(
        fleet=draw(presets()),
        lead_time=draw(lead_times()),
        failure_rate=draw(st.sampled_from((0.0, 0.0, 0.3, 0.7))),
        hang_rate=draw(st.sampled_from((0.0, 0.0, 0.1))),
        never_ready_rate=draw(st.sampled_from((0.0, 0.0, 0.2))),
        interval=draw(st.sampled_from((None, MINUTE, 7 * MINUTE, 45 * MINUTE))),
        on_miss=draw(st.sampled_from(OnMiss)),
        promotions=draw(promotions()),
        invalidations=[Invalidation(at=at, preset_id="web") for at in draw(st.lists(instants(), max_size=2))],
        policy=policy,
    )
    return Case(scenario, draw(traces()), draw(st.integers(0, 3)))
