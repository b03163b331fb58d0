"""Fitting a target that follows demand: what is learned, promised, and said where nothing can be (R21)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from math import cos, pi
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.examples import UTC
from prebuilds import InvalidValueError
from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.following import DemandFit
from prebuilds.decision.demand.learning.fitting import fit_demand
from prebuilds.decision.demand.learning.singles import find_single, measure_single
from prebuilds.decision.demand.learning.trials import Trial, run_trial
from prebuilds.decision.demand.model import Doubt
from prebuilds.whatif import Trace, look_at_target, replay_target, sweep

DAY = timedelta(days=1)
LEAD = timedelta(minutes=10)
BEGIN = datetime(2026, 6, 1, tzinfo=UTC)  # a Monday
SCALE = Autoscale(hit_rate=0.95, lead_time=LEAD, max_instances=200)
TICKS = st.lists(st.integers(0, 200), min_size=1, max_size=40).map(sorted)


def draw_claims(days: float, rate: Callable[[float], float], most: float, seed: int = 1) -> list[datetime]:
    """Claims at a rate per hour that depends on the hours since the beginning, drawn by thinning."""
    random, hours, claims = Random(seed), 0.0, []
    while (hours := hours + random.expovariate(most)) < days * 24:
        if random.random() * most < rate(hours):
            claims.append(BEGIN + timedelta(hours=hours))
    return claims


def work_hours(hours: float) -> float:
    """From 0 at night to 12 an hour at noon, and nearly nothing at weekends."""
    return (6 - 6 * cos(hours / 12 * pi)) * (1 if hours % 168 < 120 else 0.1)


@cache
def fit_days(days: float, **changes: Any) -> DemandFit:
    claims = draw_claims(days, work_hours, 12)
    return fit_demand(claims, autoscale=SCALE, begin=BEGIN, end=BEGIN + days * DAY, **changes)


def test_where_people_come_by_day_the_hit_rate_is_promised_kept_and_costs_less_than_any_single_size() -> None:
    """On later weeks of the same people, against the size that was best in hindsight."""
    fit = fit_days(42)
    model = fit.model
    assert (model.doubt, model.is_reached, model.follows_demand, model.share) == (None, True, True, 1.0)
    assert model.past_hit_rate >= 0.95
    assert model.saved > 0.3
    later = [claim for claim in draw_claims(56, work_hours, 12) if claim >= BEGIN + 42 * DAY]
    trace = Trace.from_claims(later, begin=BEGIN + 42 * DAY, end=BEGIN + 56 * DAY)
    for on_miss in ("cold_start", "wait"):
        had = replay_target(trace, LEAD, fit.follow(), on_miss=on_miss)
        best = sweep(trace, LEAD, on_miss=on_miss).smallest(hit_rate=0.95)
        assert had.hit_rate >= 0.947
        assert had.idle_hours < 0.7 * best.idle_hours
        assert had.builds_per_claim < 1.3


def test_users_who_wait_need_more_than_those_who_build_for_themselves() -> None:
    assert fit_days(42, waits=True).model.caution >= fit_days(42).model.caution
    assert fit_days(42, waits=True).model.single >= fit_days(42).model.single


def test_the_order_of_claims_does_not_matter() -> None:
    claims = draw_claims(9, work_hours, 12)
    fit = fit_demand(reversed(claims), autoscale=SCALE, begin=BEGIN, end=BEGIN + 9 * DAY)
    assert fit == fit_demand(claims, autoscale=SCALE, begin=BEGIN, end=BEGIN + 9 * DAY)


def test_a_short_past_leaves_the_own_count_and_says_so() -> None:
    """Without any claim, within a day, and with few claims. From there on it is followed more and more."""
    for days in (0.9, 4, 9):
        model = fit_days(days, own_count=7).model
        assert model.doubt is Doubt.SHORT_PAST
        assert not model.is_reached
        assert model.share == pytest.approx(max(0.0, min(1.0, (days - 1) / 6)))
    fit = fit_demand([], autoscale=SCALE, begin=BEGIN, end=BEGIN + 99 * DAY, own_count=7)
    assert (fit.model.share, fit.follow().bounds((BEGIN + 99 * DAY).timestamp())) == (0.0, (7, 7))
    few = fit_demand([BEGIN] * 19, autoscale=SCALE, begin=BEGIN, end=BEGIN + 99 * DAY)
    assert (few.model.share, few.model.own_count, few.model.single) == (0.0, 19, 19)


def test_what_the_past_did_not_reach_is_not_promised() -> None:
    """With too low a limit; the model and its targets say so."""
    claims = draw_claims(40, lambda _: 12, 12)
    scale = Autoscale(hit_rate=0.95, lead_time=LEAD, max_instances=1)
    fit = fit_demand(claims, autoscale=scale, begin=BEGIN, end=BEGIN + 40 * DAY)
    assert (fit.model.doubt, fit.model.is_reached) == (Doubt.UNREACHED, False)
    assert fit.model.explain().startswith("No promise of 0.95 (unreached)")
    looked = str(look_at_target(fit.model, fit.state, BEGIN + 40 * DAY))
    assert looked.startswith("1 wanted, the most allowed: ")


def test_too_few_days_to_count_misses_in_are_a_short_past() -> None:
    """And no storms, as nothing stormy came."""
    claims = draw_claims(24, lambda _: 12, 12)
    assert fit_demand(claims, autoscale=SCALE, begin=BEGIN, end=BEGIN + 24 * DAY).model.doubt is Doubt.SHORT_PAST


def test_a_past_of_a_day_is_explained_by_the_own_count() -> None:
    """Within the limits."""
    scale = Autoscale(hit_rate=0.95, lead_time=LEAD, min_instances=9, max_instances=20)
    fit = fit_demand([BEGIN], autoscale=scale, begin=BEGIN, end=BEGIN + 0.8 * DAY, own_count=7)
    text = "No promise of 0.95 (short past). The target is 9 at all times: there are too few claims."
    assert fit.model.explain() == text
    assert str(look_at_target(fit.model, fit.state, BEGIN + 0.8 * DAY)).startswith("9 wanted, the least allowed: ")


def test_batches_keep_the_single_size_and_say_so() -> None:
    """Thirty at once, a few times a day: following them would build far more than is claimed."""
    batches = draw_claims(28, lambda _: 0.2, 0.2)
    fit = fit_demand(
        [claim for claim in batches for _ in range(30)], autoscale=SCALE, begin=BEGIN, end=BEGIN + 28 * DAY
    )
    assert (fit.model.doubt, fit.model.follows_demand) == (Doubt.BATCHES, False)
    now = (BEGIN + 28 * DAY).timestamp()
    assert fit.follow().bounds(now) == (fit.model.single, fit.model.single)


def test_misses_on_a_few_days_are_storms() -> None:
    """A steady trickle, and three days with a storm that grows within minutes."""

    def rate(hours: float) -> float:
        return 120.0 if hours % 240 > 236 else 1.0

    fit = fit_demand(draw_claims(30, rate, 120), autoscale=SCALE, begin=BEGIN, end=BEGIN + 30 * DAY)
    assert fit.model.doubt is Doubt.STORMS


def test_a_given_hold_is_kept_and_limits_hold_in_the_past_too() -> None:
    scale = Autoscale(hit_rate=0.95, lead_time=LEAD, max_instances=3, hold=timedelta(hours=1))
    fit = fit_demand(draw_claims(15, work_hours, 12), autoscale=scale, begin=BEGIN, end=BEGIN + 15 * DAY)
    assert fit.model.hold == 3600
    assert fit.model.past_hit_rate < 0.95


def test_a_past_that_fell_silent_leaves_the_single_size() -> None:
    """Nothing was claimed in the part of the past that the price is found on."""
    fit = fit_demand(draw_claims(7, work_hours, 12), autoscale=SCALE, begin=BEGIN, end=BEGIN + 300 * DAY)
    assert (fit.model.doubt, fit.model.follows_demand) == (Doubt.SHORT_PAST, False)


@pytest.mark.parametrize(
    ("claims", "end", "field"),
    [
        ([BEGIN], BEGIN, "end"),
        ([BEGIN - DAY], BEGIN + DAY, "claims"),
        ([BEGIN, BEGIN + 2 * DAY], BEGIN + DAY, "claims"),
        ([datetime(2026, 6, 1)], BEGIN + DAY, "claims[0]"),  # noqa: DTZ001
    ],
)
def test_a_claim_or_a_span_that_cannot_be_is_refused(claims: list[datetime], end: datetime, field: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        fit_demand(claims, autoscale=SCALE, begin=BEGIN, end=end)
    assert (caught.value.model, caught.value.field) == ("fit_demand", field)


# Single sizes and trials, against `sweep`


def make_trace(ticks: list[int]) -> Trace:
    claims = [BEGIN + timedelta(minutes=tick) for tick in ticks]
    return Trace.from_claims(claims, begin=BEGIN, end=BEGIN + timedelta(minutes=250))


@given(ticks=TICKS, waits=st.booleans(), goal=st.sampled_from([0.5, 0.9, 0.99]))
def test_the_single_size_is_the_smallest_of_a_sweep(ticks: list[int], waits: bool, goal: float) -> None:
    best = sweep(make_trace(ticks), LEAD, on_miss="wait" if waits else "cold_start").smallest(hit_rate=goal)
    claims = [60.0 * tick for tick in ticks]
    assert find_single(claims, goal, 600.0, waits=waits) == best.size
    idle = measure_single(claims, best.size, 600.0, 0.0, 15_000.0, waits=waits)
    assert idle == pytest.approx(best.idle_hours * 3600)


@given(ticks=TICKS, waits=st.booleans(), size=st.integers(0, 5))
def test_a_trial_of_one_size_is_a_sweep(ticks: list[int], waits: bool, size: int) -> None:
    trace = make_trace(ticks)
    point = sweep(trace, LEAD, on_miss="wait" if waits else "cold_start", sizes=[size]).for_size(size)
    events = [(0.0, False), *[(60.0 * tick, True) for tick in ticks], (15_000.0, False)]
    trial = run_trial(events, [0] * len(events), [size], 0.0, 600.0, waits=waits)
    assert trial.hit_rate == pytest.approx(point.hit_rate)
    assert trial.idle == pytest.approx(point.idle_hours * 3600)
    assert trial.builds_per_claim == (1 if waits else pytest.approx(point.hit_rate))


def test_a_trial_deletes_what_is_above_the_highest_target_of_the_hold() -> None:
    """Five for a while, then two: the three that nobody claims go once the hold is over."""
    events = [(float(at), False) for at in (0, 100, 200, 400, 1000)]
    trial = run_trial(events, [1, 0, 0, 0, 0], [2, 5], 250.0, 600.0, waits=False)
    assert trial.idle == 5 * 400 + 2 * 600
    again = run_trial(
        [*events, (1100.0, False), (2000.0, False)], [1, 0, 0, 0, 0, 1, 1], [2, 5], 250.0, 600.0, waits=False
    )
    assert (again.built, again.idle) == (3, 5 * 400 + 2 * 700 + 2 * 600 + 5 * 300)


def test_the_days_of_the_misses_count_by_how_many_fell_on_them() -> None:
    even = Trial(100, [0.0, 100_000.0, 200_000.0, 300_000.0], 0.0, 100)
    uneven = Trial(100, [0.0, 1.0, 2.0, 100_000.0], 0.0, 100)
    assert (even.count_miss_days(), uneven.count_miss_days()) == (4, 1.6)
    assert Trial(100, [], 0.0, 100).count_miss_days() == 0
