"""Policies of others: each gives what its documentation says, asked at the instants at which it would be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prebuilds.errors import InvalidValueError
from prebuilds.whatif import (
    BufferTarget,
    LastWeekTarget,
    OnMiss,
    RecentClaimsTarget,
    SpareTarget,
    TargetFunction,
    Trace,
    WatermarkTarget,
    replay_target,
)

from .scenarios import traces

HOUR = 3_600.0
MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc).timestamp()


def claim(target: TargetFunction, *seconds: float) -> None:
    """Hits at these seconds after noon."""
    for at in seconds:
        target.bounds(NOON + at)
        target.note(NOON + at, is_hit=True)


def test_mitos_keeps_some_spare_beside_what_is_in_use() -> None:
    """`clamp(inUse + targetSpare, minWarm, maxWarm)`: up at once; down a cooldown after the last claim."""
    target = SpareTarget(2, least=1, most=4, in_use=timedelta(hours=1), cooldown=5 * MINUTE)
    assert (target.bounds(NOON), target.until(NOON)) == ((2, 2), inf)
    claim(target, 0, 60)
    assert (target.bounds(NOON + 60), target.until(NOON + 60)) == ((4, 4), NOON + 360)
    claim(target, 120, 180)
    assert target.bounds(NOON + 180) == (4, 4)  # 6, but at most 4
    assert (target.bounds(NOON + 480), target.until(NOON + 480)) == ((4, 4), NOON + HOUR)
    assert target.bounds(NOON + HOUR + 120) == (3, 3)
    claim(target, 5_000)
    assert target.bounds(NOON + HOUR + 1_500) == (3, 4)  # held, as there was a claim within five minutes
    assert SpareTarget(2, least=9, most=4).bounds(NOON) == (4, 4)  # a floor above the ceiling


def test_coder_scales_by_the_claims_of_the_last_minutes() -> None:
    """The examples `max(2, min((claims_60m + misses_60m) * 2, 30))` and `clamp(claims_10m * 5, 1, 15)`, each minute."""
    target = RecentClaimsTarget()
    assert (target.bounds(NOON), target.until(NOON)) == ((2, 2), NOON + 60)
    target.note(NOON + 1, is_hit=True)
    target.note(NOON + 2, is_hit=False)
    assert target.bounds(NOON + 59) == (2, 2)  # the last evaluation still holds
    assert target.bounds(NOON + 60) == (4, 4)
    for _ in range(20):
        target.note(NOON + 61, is_hit=True)
    assert target.bounds(NOON + 120) == (30, 30)
    assert target.bounds(NOON + 62 + HOUR) == (2, 2)
    ten = RecentClaimsTarget(5, least=1, most=15, window=10 * MINUTE)
    claim(ten, 0, 1)
    assert [ten.bounds(NOON + at) for at in (60, 599, 600, 660)] == [(10, 10), (10, 10), (5, 5), (1, 1)]


def test_agones_keeps_a_percentage_ready() -> None:
    """With 8 allocated and 30 % buffer, a fleet has 12, and so 4 are ready; within its bounds, every 30 seconds."""
    target = BufferTarget(30, least=2, most=14)
    assert target.bounds(NOON) == (2, 2)
    claim(target, *range(1, 9))
    assert (target.bounds(NOON + 29), target.until(NOON + 29)) == ((2, 2), NOON + 30)
    assert target.bounds(NOON + 30) == (4, 4)
    claim(target, *range(31, 36))
    assert target.bounds(NOON + 60) == (1, 1)  # 19, but at most 14
    claim(target, *range(61, 66))
    assert target.bounds(NOON + 90) == (0, 0)


def test_openkruise_grows_below_a_watermark_and_shrinks_above_another() -> None:
    """Ten available, give or take one: grown by what is missing, once in a lead time; shrunk once in a cooldown."""
    target = WatermarkTarget(10, 2 * MINUTE, tolerance=0.1)
    claim(target, 0)
    assert target.bounds(NOON) == (10, 10)  # nine are ready, which the tolerance allows
    claim(target, 1)
    assert target.bounds(NOON + 1) == (12, 12)
    claim(target, 2, 3)
    assert (target.bounds(NOON + 3), target.until(NOON + 3)) == ((12, 12), NOON + 120)  # waits for what it began
    assert target.bounds(NOON + 121) == (12, 12)  # six of the builds have ended
    assert target.bounds(NOON + 123) == (10, 10)  # all have: twelve are ready, two too many
    claim(target, 130, 131)
    assert target.bounds(NOON + 131) == (12, 12)
    assert (target.bounds(NOON + 260), target.until(NOON + 260)) == ((12, 12), NOON + 423)
    assert target.bounds(NOON + 423) == (10, 10)
    assert WatermarkTarget(10, MINUTE, most=4).bounds(NOON) == (4, 4)


def test_last_week_is_repeated() -> None:
    """Twelve claims in that hour are one in five minutes; and one to spare."""
    target = LastWeekTarget(5 * MINUTE, spare=1)
    claim(target, *[300.0 * number for number in range(12)])
    assert target.bounds(NOON + HOUR) == (1, 1)
    week = NOON + 168 * HOUR
    assert [target.bounds(week + at) for at in (-1, 0, 3_599, 3_600)] == [(1, 1), (2, 2), (2, 2), (1, 1)]
    assert target.until(week + 10) == week + HOUR


MAKE: list[Callable[[], TargetFunction]] = [
    lambda: SpareTarget(1, in_use=10 * MINUTE),
    RecentClaimsTarget,
    lambda: BufferTarget(30, least=2, in_use=10 * MINUTE),
    lambda: WatermarkTarget(2, 4 * MINUTE),
    lambda: LastWeekTarget(4 * MINUTE),
]


@pytest.mark.parametrize("make", MAKE)
@given(trace=traces(), on_miss=st.sampled_from(OnMiss))
def test_asking_more_often_changes_nothing(make: Callable[[], TargetFunction], trace: Trace, on_miss: OnMiss) -> None:
    """`until` leaves no change out: one that is asked every 30 seconds besides gives the same."""

    class Impatient:
        def __init__(self) -> None:
            self.inner = make()
            self.note, self.bounds = self.inner.note, self.inner.bounds

        def until(self, now: float) -> float:
            return min(self.inner.until(now), (now // 30 + 1) * 30)

    plain = replay_target(trace, 4 * MINUTE, make(), on_miss=on_miss)
    assert replay_target(trace, 4 * MINUTE, Impatient(), on_miss=on_miss) == plain


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpareTarget(-1), r"SpareTarget\.spare: -1 is not allowed; it must be a whole number"),
        (lambda: BufferTarget(100), r"BufferTarget\.percentage: 100 is not allowed; it must be a number of 0 or more"),
        (lambda: RecentClaimsTarget(interval=timedelta()), r"RecentClaimsTarget\.interval: .* from 1 second"),
        (lambda: WatermarkTarget(1, 5), r"WatermarkTarget\.lead_time: 5 is not allowed; it must be a timedelta"),
        (lambda: LastWeekTarget(MINUTE, factor=-1), r"LastWeekTarget\.factor: -1 is not allowed"),
    ],
)
def test_wrong_settings_are_named(make: Callable[[], object], message: str) -> None:
    """The policy, the setting, the value and what is allowed."""
    with pytest.raises(InvalidValueError, match=message):
        make()
