"""Replays of target functions: they count as `sweep`, `simulate` and a plain simulation of single prebuilds do."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import accumulate
from math import inf

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from prebuilds import Schedule
from prebuilds.errors import InvalidValueError
from prebuilds.whatif import OnMiss, Trace, replay_target, simulate, sweep
from prebuilds.whatif.sizing.schedule_replay import list_steps, replay
from prebuilds.whatif.sizing.sweeping import make_demand
from prebuilds.whatif.targets.target_function import ConstantTarget, note_past
from prebuilds.whatif.traces.ticks import to_ticks

from .scenarios import WINDOW, make_preset, make_scenario, traces

BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)
FIRST = BEGIN.timestamp()
SECOND = timedelta(seconds=1)
LEAD_TIME = timedelta(seconds=60)


class StepTarget:
    """Bounds from each of these seconds on. It keeps what it is told of claims."""

    def __init__(self, steps: Sequence[tuple[float, int, int]]) -> None:
        self._steps, self._starts = steps, [at for at, _, _ in steps]
        self.noted: list[tuple[float, bool]] = []

    def note(self, at: float, *, is_hit: bool) -> None:
        self.noted.append((at, is_hit))

    def bounds(self, now: float) -> tuple[int, int]:
        _, low, high = self._steps[bisect_right(self._starts, now) - 1]
        return low, high

    def until(self, now: float) -> float:
        place = bisect_right(self._starts, now)
        return self._starts[place] if place < len(self._starts) else inf


class MissTarget:
    """One more after each miss, and one less after each hit, down to one."""

    def __init__(self) -> None:
        self.size = 1

    def note(self, at: float, *, is_hit: bool) -> None:  # noqa: ARG002
        self.size = max(1, self.size - 1) if is_hit else self.size + 1

    def bounds(self, now: float) -> tuple[int, int]:  # noqa: ARG002
        return self.size, self.size

    def until(self, now: float) -> float:  # noqa: ARG002
        return inf


def make_claims(*seconds: int, end: int = 300) -> Trace:
    """Claims at these seconds after the start."""
    claims = [BEGIN + SECOND * second for second in seconds]
    return Trace.from_claims(claims, begin=BEGIN, end=BEGIN + SECOND * end)


@settings(max_examples=200)
@given(
    trace=traces(), size=st.integers(0, 5), seconds=st.sampled_from((0, 1, 90, 600)), on_miss=st.sampled_from(OnMiss)
)
def test_a_constant_gives_what_a_sweep_and_a_simulation_give(
    trace: Trace, size: int, seconds: int, on_miss: OnMiss
) -> None:
    """Hits, idle hours and waits of `sweep`, and the builds and deletes of `simulate`, exactly."""
    lead_time = timedelta(seconds=seconds)
    done = replay_target(trace, lead_time, ConstantTarget(size), on_miss=on_miss)
    (point,) = sweep(trace, lead_time, on_miss=on_miss, sizes=[size])
    swept = (point.claims, point.hits, point.idle_hours, point.wait_hours, point.hit_rate)
    assert (done.claims, done.hits, done.idle_hours, done.wait_hours, done.hit_rate) == swept
    if not seconds or (on_miss is OnMiss.WAIT and size == 0):
        return  # a simulation ends a build in a later round, and with no target begins none for those who wait
    simulated = simulate(
        make_scenario(fleet=make_preset(desired_instances=size), lead_time=lead_time, on_miss=on_miss), trace
    )
    assert (done.created, done.deleted) == (simulated.created, simulated.deleted)


@settings(max_examples=200)
@given(
    trace=traces(),
    base=st.integers(1, 5),
    windows=st.sampled_from(((), (WINDOW,), (Schedule(cron="* 9 * * *", instances=1),))),
    seconds=st.sampled_from((1, 240, 600)),
    on_miss=st.sampled_from(OnMiss),
)
def test_a_target_by_the_clock_gives_what_schedules_give(
    trace: Trace, base: int, windows: tuple[Schedule, ...], seconds: int, on_miss: OnMiss
) -> None:
    """The same as the replay of the schedules and as their simulation: hits, idle hours, builds and deletes.

    A simulation lets users claim before the target changes, or before one too many is deleted, at the same instant. So
    those claims are left out.
    """
    preset, lead_time = make_preset(desired_instances=base, schedules=windows), timedelta(seconds=seconds)
    steps = list_steps(preset, trace.begin, trace.end)
    changes = {at for at, _ in steps}
    assume(changes.isdisjoint(trace.ticks))
    assume({at + seconds * 10**6 for at in (*changes, *trace.ticks)}.isdisjoint(trace.ticks))
    done = replay_target(trace, lead_time, StepTarget([(at / 1e6, n, n) for at, n in steps]), on_miss=on_miss)
    demand = make_demand("test", trace, lead_time, wake_delay=timedelta(), seed=0)
    replayed = replay(demand, steps, on_miss)
    assert (done.outcomes, done.idle_hours) == (replayed.hits, replayed.idle[-1] / 3.6e9)
    simulated = simulate(make_scenario(fleet=preset, lead_time=lead_time, on_miss=on_miss), trace)
    assert (done.hits, done.created, done.deleted) == (simulated.hits, simulated.created, simulated.deleted)
    assert done.idle_hours == pytest.approx(simulated.idle_hours, abs=1e-9)


def simulate_brute(claims: Sequence[int], end: int, lead: int, steps: Sequence[tuple[int, int, int]]) -> list[float]:
    """Second by second, each prebuild by itself. Misses are lost. Gives hits, idle hours, builds and deletes."""
    ready, builds = [0] * steps[0][1], list[int]()
    hits = created = deleted = idle = 0
    for now in range(end + 1):
        ready += [at for at in builds if at == now]
        builds = [at for at in builds if at > now]
        _, low, high = [step for step in steps if step[0] <= now][-1]
        turns = [False, *(True for at in claims if at == now)]
        for is_claim in turns:
            if is_claim and ready:
                hits, idle, ready = hits + 1, idle + now - ready[0], ready[1:]
            extra = max(0, len(ready) - high)
            deleted, idle, ready = deleted + extra, idle + sum(now - at for at in ready[:extra]), ready[extra:]
            short = max(0, low - len(ready) - len(builds))
            created, builds = created + short, builds + [now + lead] * short
    idle += sum(end - at for at in ready)
    return [hits, idle / 3_600, created, deleted]


@st.composite
def step_lists(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Bounds that change at some seconds, the upper one at or above the lower."""
    starts = [0, *sorted(draw(st.sets(st.integers(1, 300), max_size=5)))]
    lows = [draw(st.integers(0, 4)) for _ in starts]
    return [(at, low, low + draw(st.integers(0, 3))) for at, low in zip(starts, lows, strict=True)]


@settings(max_examples=300)
@example(gaps=[0], steps=[(0, 1, 1), (1, 0, 0), (60, 0, 1), (61, 0, 0)], lead=60)  # ready as the bounds change
@given(
    gaps=st.lists(st.sampled_from((0, 0, 1, 5, 20, 60)), max_size=15),
    steps=step_lists(),
    lead=st.sampled_from((1, 5, 60)),
)
def test_two_bounds_equal_brute_force(gaps: list[int], steps: list[tuple[int, int, int]], lead: int) -> None:
    """What is missing up to the lower bound is begun; only what is ready above the upper one is deleted."""
    claims = list(accumulate(gaps))
    end = max([300, *claims])
    target = StepTarget([(FIRST + at, low, high) for at, low, high in steps])
    done = replay_target(make_claims(*claims, end=end), lead * SECOND, target)
    assert [done.hits, done.idle_hours, done.created, done.deleted] == pytest.approx(
        simulate_brute(claims, end, lead, steps), abs=1e-9
    )


def test_a_target_hears_of_each_claim_and_is_asked_after_it() -> None:
    """Hits and misses alike, in order, with their instants in seconds; the answer counts at that claim already."""
    trace = make_claims(0, 0, 0, 100, 200)
    done = replay_target(trace, LEAD_TIME, MissTarget())
    assert done.outcomes == bytes([1, 0, 0, 1, 1])
    assert [(at - to_ticks(BEGIN), low) for at, low, _ in done.steps] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (100_000_000, 2),
        (200_000_000, 1),
    ]
    assert (done.created, done.deleted, done.misses) == (3, 0, 2)
    noted = StepTarget([(FIRST, 1, 1)])
    replay_target(trace, LEAD_TIME, noted)
    assert noted.noted == [(FIRST, True), (FIRST, False), (FIRST, False), (FIRST + 100, True), (FIRST + 200, True)]


def test_the_measures_of_a_claim() -> None:
    """Builds and deletes are given for each claim; without claims they are 0, and the hit rate is 1."""
    target = StepTarget([(FIRST, 1, 1), (FIRST + 90, 2, 2), (FIRST + 250, 0, 1)])
    done = replay_target(make_claims(0, 0, 0, 100, 200), LEAD_TIME, target)
    assert (done.hit_rate, done.builds_per_claim, done.deletes_per_claim) == (0.6, 0.8, 0.2)
    empty = Trace.from_claims([], begin=BEGIN, end=BEGIN + 60 * SECOND)
    done = replay_target(empty, LEAD_TIME, StepTarget([(FIRST, 1, 1), (FIRST + 30, 0, 0)]))
    assert (done.hit_rate, done.builds_per_claim, done.deletes_per_claim, done.deleted) == (1.0, 0.0, 0.0, 1)
    assert done.to_dicts() == [
        {"from": BEGIN, "target": 1, "delete_above": 1},
        {"from": BEGIN + 30 * SECOND, "target": 0, "delete_above": 0},
    ]
    assert repr(done) == "<TargetReplay: 100.00% of 0 claims hit, 0.0 idle hours, 2 targets>"


def test_the_past_is_noted_as_hits() -> None:
    """What came before a replay, in order."""
    target = StepTarget([(0, 0, 0)])
    note_past(target, make_claims(1, 5).ticks)
    assert target.noted == [(FIRST + 1, True), (FIRST + 5, True)]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (StepTarget([(0, 3, 2)]), "TargetFunction.bounds(1772409600.0): (3, 2) is not allowed; it must be two counts"),
        (StepTarget([(0, -1, 2)]), "(-1, 2) is not allowed"),
        (5, "replay_target.target: 5 is not allowed; it must be a TargetFunction"),
    ],
)
def test_what_no_target_may_give_is_named(target: StepTarget, message: str) -> None:
    """The place, the value and what is allowed."""
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        replay_target(make_claims(0, 1), LEAD_TIME, target)


@pytest.mark.parametrize("bounds", [(1.5, 1.5), (2, 1), (-1, 1), 3, (1, 2, 3), (True, True)])
def test_bounds_are_two_counts_in_order(bounds: object) -> None:
    """Anything else is shown, with what is allowed."""
    target = StepTarget([(0, 1, 1)])
    target.bounds = lambda _: bounds  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(InvalidValueError, match=r"bounds\(1772409600\.0\): .* two counts"):
        replay_target(make_claims(0, 1), LEAD_TIME, target)


def test_a_target_may_not_change_at_no_time_at_all() -> None:
    """Which is what a NaN is."""
    target = StepTarget([(0, 1, 1)])
    target.until = lambda _: float("nan")  # type: ignore[method-assign]
    with pytest.raises(InvalidValueError, match=r"until\(1772409600\.0\): nan is not allowed"):
        replay_target(make_claims(0, 1), LEAD_TIME, target)


def test_a_target_may_not_change_now_or_earlier() -> None:
    """An instant that is not later would be asked for without end."""
    target = StepTarget([(0, 1, 1)])
    target.until = lambda now: now  # type: ignore[method-assign]
    with pytest.raises(
        InvalidValueError, match=r"until\(1772409600.0\): 1772409600.0 is not allowed; .* a later instant"
    ):
        replay_target(make_claims(0, 1), LEAD_TIME, target)
