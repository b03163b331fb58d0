"""Numbers that users give: the largest, the smallest and those that are none; and ranks, which no float may move."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from time import perf_counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prebuilds import Preset
from prebuilds.errors import InvalidValueError, UnknownMissError
from prebuilds.whatif import (
    ExponentialLeadTime,
    MeasuredLeadTime,
    OnMiss,
    Recommendation,
    Scenario,
    Trace,
    calculate_erlang_b,
    calculate_poisson_miss,
    generate_bursts,
    generate_poisson,
    generate_profile,
    judge,
    predict,
    recommend,
    simulate,
    sweep,
)
from prebuilds.whatif.traces.number_checks import find_rank

BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)
SPAN = {"begin": BEGIN, "end": BEGIN + timedelta(hours=1)}
MINUTE = timedelta(minutes=1)
TRACE = Trace.from_claims([BEGIN], **SPAN)
SCENARIO = Scenario(fleet=Preset(id="web", desired_instances=1), lead_time=MINUTE)
HUGE = 10**400  # more than a float holds


def make_recommendation() -> Recommendation:
    claims = generate_poisson(5, begin=BEGIN, end=BEGIN + timedelta(days=5), seed=1)
    return recommend(claims, MINUTE)


def test_one_claim_can_be_judged() -> None:
    """A trace of one claim has a span of no time; it is still one day with one claim."""
    report = judge(make_recommendation(), Trace.from_claims([BEGIN]), MINUTE)
    assert (report.claims, report.hit_rate, report.idle_hours) == (1, 1.0, 0.0)


@pytest.mark.parametrize("tick", [10**30, -(10**30), 2**62, -(2**62)])
def test_a_tick_outside_the_range_of_instants_is_refused(tick: int) -> None:
    with pytest.raises(InvalidValueError, match=r"Trace\.ticks: .* whole microseconds since 1970, in order, from -"):
        Trace(ticks=[tick], **SPAN)


WRONG: dict[str, Callable[[], Any]] = {
    "predict.claims_per_hour": lambda: predict(HUGE, MINUTE),
    "predict.claims_per_hour ": lambda: predict(1e300, timedelta()),
    "predict.claims_per_hour  ": lambda: predict(1e9, timedelta(days=1)),
    "predict.sizes": lambda: predict(1, MINUTE, sizes=5),  # type: ignore[arg-type]
    "predict.sizes[0]": lambda: predict(1, MINUTE, sizes=[HUGE]),
    "predict.span": lambda: predict(1, MINUTE, span=timedelta.max),
    "predict.lead_time": lambda: predict(1, timedelta.max),
    "calculate_erlang_b.load": lambda: calculate_erlang_b(1, 1e300),
    "calculate_erlang_b.load ": lambda: calculate_erlang_b(1, math.nan),
    "calculate_poisson_miss.load": lambda: calculate_poisson_miss(1, HUGE),
    "sweep.seed": lambda: sweep(TRACE, MINUTE, seed=None),  # type: ignore[arg-type]
    "sweep.lead_time": lambda: sweep(TRACE, timedelta.max),
    "simulate.seed": lambda: simulate(SCENARIO, TRACE, seed=HUGE**20),
    "judge.recommendation": lambda: judge(5, TRACE, MINUTE),  # type: ignore[arg-type]
    "recommend.hit_rate": lambda: recommend(TRACE, MINUTE, hit_rate=HUGE),
    "Curve.smallest.hit_rate": lambda: sweep(TRACE, MINUTE).smallest(hit_rate=math.nan),
    "Curve.cheapest.idle_cost": lambda: sweep(TRACE, MINUTE).cheapest(idle_cost=HUGE, miss_cost=1),
    "Curve.cheapest.miss_cost": lambda: sweep(TRACE, MINUTE).cheapest(idle_cost=1, miss_cost=math.inf),
    "generate_poisson.per_hour": lambda: generate_poisson(HUGE, **SPAN, seed=1),
    "generate_poisson.per_hour ": lambda: generate_poisson(1e300, **SPAN, seed=1),
    "generate_poisson.seed": lambda: generate_poisson(1, **SPAN, seed=[1]),  # type: ignore[arg-type]
    "generate_profile.per_hour": lambda: generate_profile(5, **SPAN, seed=1),  # type: ignore[arg-type]
    "generate_bursts.size": lambda: generate_bursts(1, size=1e300, within=MINUTE, **SPAN, seed=1),
    "generate_bursts.within": lambda: generate_bursts(1, size=1, within=timedelta.max, **SPAN, seed=1),
    "LeadTime.share": lambda: ExponentialLeadTime(mean=MINUTE).quantile("half"),  # type: ignore[arg-type]
    "Scenario.failure_rate": lambda: Scenario(fleet=SCENARIO.fleet, lead_time=MINUTE, failure_rate=HUGE),
    "Scenario.fleet.for_preset('web')": lambda: Scenario(
        fleet=Preset(id="web", desired_instances=10**9), lead_time=MINUTE
    ),
    "Trace.end": lambda: Trace(ticks=[], begin=BEGIN.replace(year=2), end=BEGIN.replace(year=9998)),
    "Trace.from_claims.claims": lambda: Trace.from_claims(5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("place", WRONG)
def test_a_number_out_of_bounds_is_named(place: str) -> None:
    """The function, the argument, and what is allowed; never an overflow, an endless loop, or an infinite sum."""
    with pytest.raises(InvalidValueError) as caught:
        WRONG[place]()
    assert f"{caught.value.model}.{caught.value.field}" == place.strip()


def test_the_number_of_a_miss_is_an_integer() -> None:
    with pytest.raises(UnknownMissError):
        simulate(SCENARIO, TRACE).find_miss("first")  # type: ignore[arg-type]


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("on_miss", OnMiss)
def test_the_ends_of_time_are_no_trouble(year: int, on_miss: OnMiss) -> None:
    """Builds that end after the last instant that there is, and a ttl that reaches before the first."""
    begin = datetime(year, 6, 15, tzinfo=timezone.utc)
    preset = Preset(id="web", desired_instances=1, ttl=timedelta(days=36_525))
    trace = Trace.from_claims([begin, begin + MINUTE, begin + 3 * MINUTE], end=begin + timedelta(days=5))
    scenario = Scenario(fleet=preset, lead_time=timedelta(days=36_525), on_miss=on_miss)
    result = simulate(scenario, trace)
    assert (result.hits, result.misses) == (1, 2)
    assert len(result.explain_miss(1)) > 0
    assert sweep(trace, timedelta(days=36_525), on_miss=on_miss).for_size(1).hits == 1


@example(100, 70)
@given(st.integers(1, 5_000), st.integers(1, 999))
def test_a_rank_is_the_least_that_holds_the_share(count: int, thousandths: int) -> None:
    """As exact fractions have it: 0.07 of 100 values are 7, though 0.07 * 100 is more than 7."""
    exact = math.ceil(Fraction(thousandths, 1_000) * count)
    assert find_rank(thousandths / 1_000, count) == exact


def test_quantiles_are_not_moved_by_a_float() -> None:
    samples = MeasuredLeadTime(samples=[timedelta(seconds=second) for second in range(1, 101)])
    assert [samples.quantile(share / 100).total_seconds() for share in range(1, 100)] == list(range(1, 100))


@pytest.mark.parametrize("on_miss", OnMiss)
def test_predict_costs_as_much_for_each_size(on_miss: OnMiss) -> None:
    """Eight times the sizes take about eight times as long, not sixty-four; a huge size alone takes no time."""

    def measure(sizes: int) -> float:
        begin = perf_counter()
        predict(60, timedelta(minutes=5), sizes=range(sizes), on_miss=on_miss)
        return perf_counter() - begin

    few, many = (min(measure(sizes) for _ in range(5)) for sizes in (2_000, 16_000))
    assert many / few < 24
    (largest,) = predict(60, timedelta(minutes=5), sizes=[2**31 - 1], on_miss=on_miss)
    assert (largest.misses, largest.idle_hours) == (0, 168 * (2**31 - 1 - 5))
