"""Sizing: `sweep` is exact, a replay with a constant target equals it, and closed forms agree with both."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from heapq import heappop, heappush
from itertools import accumulate
from random import Random
from typing import NamedTuple

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebuilds.errors import InvalidValueError, UnreachableGoalError
from prebuilds.whatif import (
    ExponentialLeadTime,
    FixedLeadTime,
    LeadTime,
    MeasuredLeadTime,
    OnMiss,
    Trace,
    calculate_erlang_b,
    calculate_poisson_miss,
    generate_poisson,
    predict,
    sweep,
)
from prebuilds.whatif.sizing.schedule_replay import replay
from prebuilds.whatif.sizing.sweeping import find_smallest, make_demand

BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
MODES = tuple(OnMiss)


class Outcome(NamedTuple):
    """What a pool had: claims that found a prebuild, and hours of idleness and of waiting."""

    hits: int
    idle_hours: float
    wait_hours: float


def simulate_brute(
    trace: Trace, leads: Sequence[timedelta], size: int, mode: OnMiss, wake_delay: timedelta = timedelta()
) -> Outcome:
    """One pool, event by event, each prebuild by itself: the instants at which those that are ready became so."""
    events = [(claim, "then claim", index) for index, claim in enumerate(trace)]
    ready, users = deque([trace.begin] * size), deque[datetime]()
    hits, idle, waited = 0, timedelta(), timedelta()
    while events:
        now, kind, index = heappop(events)
        if kind == "build":
            if users:
                waited += now - users.popleft()
            else:
                ready.append(now)
            continue
        if ready:
            hits += 1
            idle += now - ready.popleft()
        elif mode is OnMiss.WAIT:
            users.append(now)
        else:
            waited += leads[index]
            continue
        heappush(events, (now + wake_delay + leads[index], "build", index))
    idle += sum((trace.end - since for since in ready if since < trace.end), timedelta())
    return Outcome(hits, idle / HOUR, waited / HOUR)


def is_close(one: Outcome, other: Outcome) -> bool:
    """The same hits exactly, and hours to 1e-9."""
    hours = zip(one[1:], other[1:], strict=True)
    return one.hits == other.hits and all(abs(a - b) < 1e-9 for a, b in hours)


def draw_leads(lead_time: LeadTime, count: int) -> list[timedelta]:
    """One for each claim, in order, by the seed: what the documentation says that `sweep` does."""
    random = Random(7)
    return [lead_time.draw(random) for _ in range(count)]


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Short traces whose claims crowd together, many of them at one instant or a lead time apart."""
    gaps = draw(st.lists(st.sampled_from((0, 0, 1, 2, 3, 5, 10, 59, 60, 61, 600)) | st.integers(0, 10**3), max_size=25))
    claims = [BEGIN + SECOND * at for at in accumulate(gaps)]
    last = claims[-1] if claims else BEGIN
    return Trace.from_claims(claims, begin=BEGIN, end=last + SECOND * draw(st.sampled_from((0, 0, 1, 30, 1_000))))


DURATIONS = st.sampled_from([SECOND * count for count in (0, 1, 5, 10, 60, 300)]) | st.timedeltas(
    timedelta(), SECOND * 1_000
)
LEAD_TIMES = st.builds(FixedLeadTime, duration=DURATIONS) | st.builds(
    MeasuredLeadTime, samples=st.lists(DURATIONS, min_size=1, max_size=4)
)
WAKE_DELAYS = st.sampled_from((timedelta(), timedelta(), SECOND, SECOND * 60))


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=1_000)
@given(traces(), LEAD_TIMES, WAKE_DELAYS)
def test_a_sweep_equals_brute_force_at_every_size(
    mode: OnMiss, trace: Trace, lead_time: LeadTime, wake_delay: timedelta
) -> None:
    """Hits exactly and hours to 1e-9, in both miss modes, from no prebuild to more than can be needed."""
    leads = draw_leads(lead_time, len(trace))
    curve = sweep(trace, lead_time, on_miss=mode, wake_delay=wake_delay, sizes=range(len(trace) + 2), seed=7)
    for point in curve:
        swept = Outcome(int(point.hits), point.idle_hours, point.wait_hours)
        brute = simulate_brute(trace, leads, point.size, mode, wake_delay)
        assert is_close(swept, brute), (point.size, swept, brute)


@pytest.mark.parametrize("mode", MODES)
@given(traces(), LEAD_TIMES, WAKE_DELAYS, st.integers(0, 6))
def test_a_replay_with_a_constant_target_equals_the_sweep(
    mode: OnMiss, trace: Trace, lead_time: LeadTime, wake_delay: timedelta, size: int
) -> None:
    """A replay counts as `sweep` does. A step that changes nothing makes no difference."""
    demand = make_demand("test", trace, lead_time, wake_delay=wake_delay, seed=7)
    steps = [(demand.begin, size), ((demand.begin + demand.end) // 2, size)]
    done = replay(demand, steps, mode)
    (point,) = sweep(trace, lead_time, on_miss=mode, sizes=[size], wake_delay=wake_delay, seed=7)
    assert (sum(done.hits), done.idle[-1] / 3.6e9, done.waited / 3.6e9) == (
        point.hits,
        point.idle_hours,
        point.wait_hours,
    )


@pytest.fixture(scope="module")
def million() -> Trace:
    """A million Poisson claims, 60 an hour."""
    trace = generate_poisson(60, begin=BEGIN, end=BEGIN + timedelta(hours=17_000), seed=11)
    return Trace(ticks=trace.ticks[:1_000_000], begin=BEGIN, end=trace[999_999])


@pytest.mark.parametrize("lead_time", [FixedLeadTime(duration=SECOND * 300), ExponentialLeadTime(mean=SECOND * 300)])
def test_a_sweep_agrees_with_the_closed_forms(million: Trace, lead_time: LeadTime) -> None:
    """Within 0.2 points of Erlang B and of the Poisson formula, on a million claims."""
    assert len(million) == 1_000_000
    formulas = {OnMiss.COLD_START: calculate_erlang_b, OnMiss.WAIT: calculate_poisson_miss}
    for mode, formula in formulas.items():
        for point in sweep(million, lead_time, on_miss=mode, sizes=(1, 5, 9)):
            assert abs(point.hit_rate - (1 - formula(point.size, 5.0))) < 0.002, (mode, point)


@pytest.mark.parametrize("mode", MODES)
def test_a_prediction_agrees_with_a_sweep_in_every_column(mode: OnMiss) -> None:
    """Hits, idleness and waiting, a wake delay included, on 50,000 claims."""
    trace = generate_poisson(60, begin=BEGIN, end=BEGIN + timedelta(hours=833), seed=3)
    sizes, delay = range(3, 10), SECOND * 30
    predicted = predict(60, SECOND * 300, on_miss=mode, wake_delay=delay, span=trace.span, sizes=sizes)
    swept = sweep(trace, SECOND * 300, on_miss=mode, wake_delay=delay, sizes=sizes)
    for expected, found in zip(predicted, swept, strict=True):
        assert expected.size == found.size
        assert expected.hit_rate == pytest.approx(found.hit_rate, abs=0.01)
        assert expected.idle_hours == pytest.approx(found.idle_hours, rel=0.05)
        assert expected.wait_hours == pytest.approx(found.wait_hours, rel=0.15, abs=2)


def test_known_values_of_the_closed_forms() -> None:
    """From the tables: Erlang B of 10 lines and a load of 5; the chance of 10 or more where 5 are expected."""
    assert calculate_erlang_b(10, 5.0) == pytest.approx(0.018385, abs=1e-6)
    assert calculate_poisson_miss(10, 5.0) == pytest.approx(0.031828, abs=1e-6)
    assert (calculate_erlang_b(0, 5.0), calculate_poisson_miss(1, 0.0)) == (1.0, 0.0)


def test_the_smallest_and_the_cheapest_size() -> None:
    """Three claims at once and one that comes when all are ready again: 2 prebuilds have 3 hits, 3 have all."""
    trace = Trace.from_claims([BEGIN, BEGIN, BEGIN, BEGIN + HOUR])
    curve = sweep(trace, SECOND * 60)
    assert [point.hits for point in curve] == [0, 2, 3, 4]
    assert curve.smallest(hit_rate=0.75).size == 2
    assert curve.smallest(hit_rate=1.0).size == 3
    assert curve.cheapest(idle_cost=1, miss_cost=0).size == 0
    assert curve.cheapest(idle_cost=1, miss_cost=100).size == 3
    assert curve.cheapest(idle_cost=0, miss_cost=0, wait_cost=1).size == 3


@given(traces(), LEAD_TIMES, WAKE_DELAYS, st.sampled_from(MODES), st.integers(0, 100))
def test_a_curve_knows_the_sizes_beyond_its_last(
    trace: Trace, lead_time: LeadTime, wake_delay: timedelta, mode: OnMiss, more: int
) -> None:
    """Its last size misses nothing, so a larger one only idles longer: what a sweep of that size measures."""
    curve = sweep(trace, lead_time, on_miss=mode, wake_delay=wake_delay, seed=7)
    size = curve.points[-1].size + more
    (measured,) = sweep(trace, lead_time, on_miss=mode, wake_delay=wake_delay, sizes=[size], seed=7)
    found = curve.for_size(size)
    assert attrs.evolve(found, idle_hours=measured.idle_hours) == measured
    assert found.idle_hours == pytest.approx(measured.idle_hours, abs=1e-9)


def test_a_size_that_a_curve_cannot_know_is_an_error() -> None:
    """One between its points, and one beyond a last point that still misses something."""
    trace = Trace.from_claims([BEGIN, BEGIN, BEGIN])
    with pytest.raises(InvalidValueError, match=r"size: 2 is not allowed; it must be one of the curve's sizes, 1 to 3"):
        sweep(trace, SECOND, sizes=[1, 3]).for_size(2)
    with pytest.raises(InvalidValueError, match="size: 3 is not allowed; it must be one of the curve's sizes, 1 to 2"):
        sweep(trace, SECOND, sizes=[1, 2]).for_size(3)


def test_a_goal_out_of_reach_is_an_error() -> None:
    """Where sizes were given and none is enough, the error says what the best has."""
    trace = Trace.from_claims([BEGIN, BEGIN])
    with pytest.raises(UnreachableGoalError, match=r"a hit rate of 0\.9; the best of them has 0\.5"):
        sweep(trace, SECOND, sizes=[0, 1]).smallest(hit_rate=0.9)


@given(traces(), LEAD_TIMES, st.sampled_from(MODES), st.floats(0.05, 1.0))
def test_halving_finds_the_smallest_size(trace: Trace, lead_time: LeadTime, mode: OnMiss, hit_rate: float) -> None:
    """The same as looking at every size."""
    demand = make_demand("test", trace, lead_time, wake_delay=timedelta(), seed=7)
    curve = sweep(trace, lead_time, on_miss=mode, seed=7)
    found = find_smallest(demand, mode, hit_rate)
    assert found == curve.for_size(found.size)
    assert found.hit_rate >= hit_rate


def test_wrong_arguments_are_named() -> None:
    """The function, the argument, the value and what is allowed."""
    trace = Trace.from_claims([BEGIN])
    with pytest.raises(InvalidValueError, match="'shrug' is not allowed; it must be 'cold_start' or 'wait'"):
        sweep(trace, SECOND, on_miss="shrug")
    with pytest.raises(InvalidValueError, match=r"sweep\.lead_time: 5 is not allowed"):
        sweep(trace, 5)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match=r"sweep\.sizes\[1\]: -1 is not allowed"):
        sweep(trace, SECOND, sizes=[1, -1])


def test_a_progress_bar_is_shown_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, and the result is the same."""
    trace = Trace.from_claims([datetime(2026, 11, 23, 9, minute, tzinfo=timezone.utc) for minute in range(9)])
    lead_time = timedelta(minutes=3)
    assert sweep(trace, lead_time, progress=True) == sweep(trace, lead_time)
    assert capsys.readouterr().out == ""
