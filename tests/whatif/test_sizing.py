"""Sizing: `sweep` is exact, a replay with a constant target equals it, and closed forms agree with both."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from heapq import heappop, heappush
from itertools import accumulate
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebuilds.whatif import FixedLeadTime, LeadTime, MeasuredLeadTime, OnMiss, Trace, sweep
from prebuilds.whatif.pools import replay
from prebuilds.whatif.sizing import make_demand

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


def measure(trace: Trace, lead_time: LeadTime, size: int, mode: OnMiss, wake_delay: timedelta) -> Outcome:
    """The same by `sweep`."""
    (point,) = sweep(trace, lead_time, on_miss=mode, sizes=[size], wake_delay=wake_delay, seed=7)
    return Outcome(int(point.hits), point.idle_hours, point.wait_hours)


def is_close(one: Outcome, other: Outcome) -> bool:
    """The same hits exactly, and hours to 1e-9."""
    hours = zip(one[1:], other[1:], strict=True)
    return one.hits == other.hits and all(abs(a - b) < 1e-9 for a, b in hours)


def draw_leads(lead_time: LeadTime, count: int) -> list[timedelta]:
    """One for each claim, in order, by the seed: what the documentation says that `sweep` does."""
    random = Random(7)  # noqa: S311
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
    """Whoever replays a preset's schedules counts as `sweep` does; a step that changes nothing is none."""
    demand = make_demand("test", trace, lead_time, wake_delay=wake_delay, seed=7)
    steps = [(demand.begin, size), ((demand.begin + demand.end) // 2, size)]
    done = replay(demand, steps, mode)
    (point,) = sweep(trace, lead_time, on_miss=mode, sizes=[size], wake_delay=wake_delay, seed=7)
    assert (sum(done.hits), done.idle[-1] / 3.6e9, done.waited / 3.6e9) == (
        point.hits,
        point.idle_hours,
        point.wait_hours,
    )
