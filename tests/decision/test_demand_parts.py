"""The parts of a target that follows demand (R21), each against an independent calculation."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import islice
from math import exp, inf, lgamma, log
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebuilds import InvalidValueError
from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.counts import LEAST_PRICE, count_worthy, iterate_chances, list_worths
from prebuilds.decision.demand.holds import hold_target
from prebuilds.decision.demand.means import SIGNALS, calculate_mean, fit_weights
from prebuilds.decision.demand.rates import LEVEL_LIVES, FadingRates, list_decays, list_half_lives
from prebuilds.decision.demand.seasons import WEEK, WEEK_HOURS, Season, find_slot
from prebuilds.decision.demand.spreads import BINS, find_bin, fit_spreads, get_bin_mean
from prebuilds.decision.demand.state import advance_state, count_claim, get_usual, start_state
from prebuilds.decision.demand.steering import MOST_OFFSET, Steering

LEAD = 300.0
MEANS = st.floats(0.01, 200)
SPREADS = st.one_of(st.just(1.0), st.floats(1.01, 50))
DAY = 86_400.0


def calculate_chance(number: int, mean: float, spread: float) -> float:
    """The negative binomial's formula with gamma functions, or that of Poisson."""
    if spread == 1:
        return exp(number * log(mean) - mean - lgamma(number + 1))
    shape = mean / (spread - 1)
    ways = lgamma(number + shape) - lgamma(shape) - lgamma(number + 1)
    return exp(ways - shape * log(spread) + number * log(1 - 1 / spread))


# The setting


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("hit_rate", 1.0, "a number above 0 and below 1"),
        ("hit_rate", 0.0, "a number above 0 and below 1"),
        ("hit_rate", 95, "a number above 0 and below 1"),
        ("lead_time", timedelta(), "a timedelta from 1 second to 1 day"),
        ("lead_time", 300, "a timedelta from 1 second to 1 day"),
        ("min_instances", -1, "a whole number from 0 to 2147483647"),
        ("max_instances", 0, "a whole number from 1 to 2147483647"),
        ("max_instances", 4, "at least min_instances, which is 5"),
        ("hold", timedelta(days=8), "a timedelta from 0 to 7 days, or None"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_and_what_is_allowed(field: str, value: object, allowed: str) -> None:
    given = {"hit_rate": 0.95, "lead_time": timedelta(minutes=5), "min_instances": 5, "max_instances": 9, field: value}
    with pytest.raises(InvalidValueError) as caught:
        Autoscale(**given)  # type: ignore[arg-type]
    assert (caught.value.model, caught.value.field, caught.value.allowed) == ("Autoscale", field, allowed)


# Counts


@given(mean=MEANS, spread=SPREADS)
def test_chances_are_those_of_the_negative_binomial(mean: float, spread: float) -> None:
    found = list(islice(iterate_chances(mean, spread), 60))
    assert found == pytest.approx([calculate_chance(n, mean, spread) for n in range(60)], rel=1e-6, abs=1e-300)


@pytest.mark.parametrize(("mean", "spread"), [(0.3, 1.0), (3.0, 1.0), (3.0, 4.0), (2000.0, 1.0), (2000.0, 20.0)])
def test_chances_sum_to_one_with_the_mean_and_the_spread_asked_for(mean: float, spread: float) -> None:
    """Also where the first chances are too small for a float."""
    chances = list(islice(iterate_chances(mean, spread), int(mean + 40 * (mean * spread) ** 0.5 + 40 * spread)))
    average = sum(n * chance for n, chance in enumerate(chances))
    assert sum(chances) == pytest.approx(1)
    assert average == pytest.approx(mean)
    assert sum((n - average) ** 2 * chance for n, chance in enumerate(chances)) == pytest.approx(mean * spread)


@given(mean=MEANS, spread=SPREADS, price=st.floats(1e-6, 100))
def test_the_nth_is_kept_while_it_serves_more_claims_than_its_idle_hours_cost(
    mean: float, spread: float, price: float
) -> None:
    chances = [calculate_chance(n, mean, spread) for n in range(3000)]
    kept, fewer = 0, chances[0]
    for n in range(1, 3000):
        if n * chances[n] / (LEAD / 3600) <= price * fewer:
            break
        kept, fewer = n, fewer + chances[n]
    assert count_worthy(list_worths(mean, spread, LEAD, 10_000), price) == kept


@given(mean=st.floats(0.01, 3000), spread=SPREADS, most=st.integers(1, 50))
def test_no_prebuild_is_worth_more_than_the_one_before_it(mean: float, spread: float, most: int) -> None:
    worths = list_worths(mean, spread, LEAD, most)
    assert list(worths) == sorted(worths)
    assert len(worths) <= most
    assert all(LEAST_PRICE <= -worth <= inf for worth in worths)


# The season


@pytest.mark.parametrize(
    ("instant", "zone", "slot"),
    [
        (datetime(2026, 11, 23, 9, tzinfo=timezone.utc), "UTC", 9),
        (datetime(2026, 11, 22, 23, tzinfo=timezone.utc), "Europe/Berlin", 0),
        (datetime(2026, 3, 29, 0, tzinfo=timezone.utc), "Europe/Berlin", 6 * 24 + 1),
        (datetime(2026, 3, 29, 1, tzinfo=timezone.utc), "Europe/Berlin", 6 * 24 + 3),  # clocks go forward
        (datetime(2026, 10, 25, 0, tzinfo=timezone.utc), "Europe/Berlin", 6 * 24 + 2),
        (datetime(2026, 10, 25, 1, tzinfo=timezone.utc), "Europe/Berlin", 6 * 24 + 2),  # the same hour again
        (datetime(2026, 10, 25, 2, tzinfo=timezone.utc), "Europe/Berlin", 6 * 24 + 3),
    ],
)
def test_hours_are_those_of_the_local_week_over_daylight_saving(instant: datetime, zone: str, slot: int) -> None:
    assert find_slot(instant.timestamp(), zone) == slot


def test_a_rate_leans_on_like_days_and_these_on_the_whole() -> None:
    """One Monday at nine with 12 claims: the other Mondays, work days and weekends follow it less and less."""
    season = Season().add_hour(9, 12)
    whole = (12 + 0.5 / 2 ** (1 / 672) * 2 ** (1 / 672)) / 2  # 12 claims in one hour, and half a claim in another
    like = (12 + 2 * whole) / 3
    assert season.calculate_rate(9) == pytest.approx((12 + 2 * like) / 3)
    assert season.calculate_rate(24 + 9) == pytest.approx(like)
    assert season.calculate_rate(120 + 9) == pytest.approx(whole)


def test_what_was_seen_four_weeks_ago_counts_half() -> None:
    season = Season().add_hour(9, 100)
    before = season.claims[9] / season.weight
    for hour in range(4 * WEEK_HOURS):
        season = season.add_hour((10 + hour) % WEEK_HOURS, 0)
    assert season.claims[9] / season.weight == pytest.approx(before / 2)


@settings(max_examples=20)
@given(weeks=st.integers(1, 4), start=st.integers(0, WEEK_HOURS - 1))
def test_silent_weeks_at_once_are_silent_hours_one_by_one(weeks: int, start: int) -> None:
    season = Season().add_hour(start, 7).add_hour((start + 1) % WEEK_HOURS, 3)
    by_hours = season
    for hour in range(weeks * WEEK_HOURS):
        by_hours = by_hours.add_hour((start + 2 + hour) % WEEK_HOURS, 0)
    at_once = season.add_silent_weeks(weeks)
    rates = [by_hours.calculate_rate(slot) for slot in range(WEEK_HOURS)]
    assert [at_once.calculate_rate(slot) for slot in range(WEEK_HOURS)] == pytest.approx(rates, rel=0.1, abs=0.001)
    assert at_once.claims[start] == pytest.approx(by_hours.claims[start] / by_hours.weight)


def test_weights_never_overflow() -> None:
    """Over thousands of silent years, and over 8 years by the hour."""
    season = Season().add_hour(9, 5)
    for _ in range(100):
        season = season.add_silent_weeks(5000)
    assert season.calculate_rate(9) == pytest.approx(0, abs=1e-3)
    near = Season(all_claims=2.0**99, all_hours=2.0**99, weight=2.0**100 / 1.0001).add_hour(3, 1)
    assert near.weight == 1
    assert near.claims[3] == pytest.approx(1)


# Recent rates and levels


@given(gaps=st.lists(st.floats(0, 20_000), max_size=12), wait=st.floats(0, 20_000), usual=st.floats(0, 0.1))
def test_rates_fade_exponentially_and_levels_compare_with_the_season(
    gaps: list[float], wait: float, usual: float
) -> None:
    decays, rates, claims = list_decays(LEAD), FadingRates(0.0), []
    for gap in gaps:
        claims.append(rates.at + gap)
        rates = rates.fade(claims[-1], usual, decays).count_claim(decays)
    rates = rates.fade(rates.at + wait, usual, decays)
    ages = [rates.at - at for at in claims]
    expected = [sum(log(2) / life * 2 ** (-age / life) for age in ages) for life in list_half_lives(LEAD)]
    assert list(rates.values[:5]) == pytest.approx(expected)
    levels = []
    for life in LEVEL_LIVES:
        season = usual * life / log(2) * (1 - 2 ** (-rates.at / life))
        levels.append((sum(2 ** (-age / life) for age in ages) + 1) / (season + 1))
    assert list(rates.list_levels()) == pytest.approx(levels)


def test_a_clock_that_goes_back_leaves_the_rates_as_they_are() -> None:
    rates = FadingRates(100.0).count_claim(list_decays(LEAD))
    assert rates.fade(50.0, 1.0, list_decays(LEAD)) is rates


# The mean


def test_weights_are_those_that_the_counts_came_from() -> None:
    random = Random(3)
    truth = [0.5, 0, 0, 0, 2.0, 0, 0, 0, 1.0]
    rows = [
        (*[random.random() * 40 if random.random() < 0.2 else 0.0 for _ in range(SIGNALS - 1)], 1.0)
        for _ in range(2000)
    ]
    counts = [round(10 * calculate_mean(row, truth)) for row in rows]
    found = [weight / 10 for weight in fit_weights(rows, counts)]
    assert found[0] == pytest.approx(0.5, abs=0.1)
    assert found[4] == pytest.approx(2, abs=0.1)
    assert sum(calculate_mean(row, found) for row in rows) == pytest.approx(sum(counts) / 10, rel=1e-6)
    assert min(found) >= 0


@given(
    st.lists(st.tuples(st.lists(st.floats(0, 9), min_size=8, max_size=8), st.integers(0, 9)), min_size=1, max_size=20)
)
def test_weights_are_never_negative_and_give_as_many_claims_as_there_were(
    given: list[tuple[list[float], int]],
) -> None:
    rows = [(*signals, 1.0) for signals, _ in given]
    counts = [count for _, count in given]
    weights = fit_weights(rows, counts)
    assert all(weight >= 0 for weight in weights)
    assert sum(calculate_mean(row, weights) for row in rows) == pytest.approx(sum(counts), rel=1e-3, abs=1e-3)


def test_without_rows_there_are_no_weights() -> None:
    assert fit_weights([], []) == (0.0,) * SIGNALS


# Spreads


@given(mean=st.floats(0, 1e6))
def test_bins_hold_means_that_differ_by_an_eighth(mean: float) -> None:
    place = find_bin(mean)
    assert 0 <= place < BINS
    if 0 < place < BINS - 1:
        assert mean == pytest.approx(get_bin_mean(place), rel=0.13)


def draw_poisson(random: Random, mean: float) -> int:
    count, left = 0, random.expovariate(1)
    while left < mean:
        count, left = count + 1, left + random.expovariate(1)
    return count


def test_a_spread_tells_single_claims_from_batches() -> None:
    """Poisson claims have a spread of 1, and batches of ten a spread of about ten. Others do as the next."""
    random = Random(5)
    place = find_bin(5.0)
    singles = [draw_poisson(random, 5.0) for _ in range(4000)]
    batches = [10 * draw_poisson(random, 0.5) for _ in range(4000)]
    alone = fit_spreads([place] * 4000, singles)
    together = fit_spreads([place] * 4000, batches)
    assert alone[place] == pytest.approx(1, abs=0.3)
    assert together[place] == pytest.approx(10, rel=0.4)
    assert set(together[place:]) == {together[place]}


def test_spreads_of_huge_means_and_wild_counts_are_bounded() -> None:
    last = fit_spreads([BINS - 1] * 3 + [0] * 5, [0, 0, 10**7, 0, 0, 0, 0, 5000])
    assert max(last) <= 1024
    assert min(last) >= 1
    assert fit_spreads([], []) == (1.0,) * BINS


# Steering


@pytest.mark.parametrize("goal", [0.9, 0.95, 0.99])
def test_steering_rests_where_a_fifth_fewer_are_missed_than_the_goal_allows(goal: float) -> None:
    steering, misses = Steering(0.0), round(8000 * (1 - goal))
    for number in range(10_000):
        steering = steering.note(0.0, goal, is_hit=number >= misses)
    assert steering.offset == pytest.approx(0, abs=0.05 + max(0.0, misses * 0.012 - MOST_OFFSET))


def test_a_miss_makes_the_target_more_careful_and_a_hit_less_within_bounds() -> None:
    assert Steering(0.0).note(5.0, 0.99, is_hit=False) == Steering(5.0, 0.012)
    assert Steering(0.0).note(5.0, 0.99, is_hit=True).offset == pytest.approx(-0.012 * 0.008 / 0.992)
    most, least = Steering(0.0), Steering(0.0)
    for _ in range(400):
        most, least = most.note(0.0, 0.5, is_hit=False), least.note(0.0, 0.5, is_hit=True)
    assert (most.offset, least.offset) == (MOST_OFFSET, pytest.approx(-400 * 0.012 * 0.4 / 0.6, abs=1e-6))


def test_an_offset_fades_by_half_in_eight_weeks_and_a_clock_that_goes_back_changes_nothing() -> None:
    later = Steering(0.0, 2.0).note(8 * WEEK, 0.5, is_hit=False)
    assert later == Steering(8 * WEEK, pytest.approx(1.012))
    assert Steering(100.0, 2.0).note(50.0, 0.5, is_hit=False) == Steering(100.0, 2.012)


# Hold


@given(
    steps=st.lists(st.tuples(st.floats(0, 50), st.integers(0, 9)), min_size=1, max_size=30),
    hold=st.sampled_from([0.0, 30.0, 100.0]),
)
def test_what_is_held_is_the_highest_target_of_the_last_while(steps: list[tuple[float, int]], hold: float) -> None:
    now, held, seen = 0.0, (), []
    for gap, count in steps:
        now += gap
        seen.append((now, count))
        held = hold_target(held, now, count, hold)
        assert held[0][1] == max(count for at, count in seen if at >= now - hold)


# The state


def test_the_usual_rate_goes_from_the_middle_of_one_hour_to_that_of_the_next() -> None:
    state = start_state(0.0, LEAD, "UTC")
    for hour in range(3 * WEEK_HOURS):
        for _ in range(hour % 24):
            state = count_claim(advance_state(state, hour * 3600.0, LEAD, "UTC"), hour * 3600.0, LEAD)
    state = advance_state(state, 3 * WEEK, LEAD, "UTC")  # midnight: 23 claims in the hour before, none in this one
    before, this, after = state.usual[:3]
    assert before > after > this
    assert get_usual(state, 3 * WEEK) == pytest.approx((before + this) / 2)
    assert get_usual(state, 3 * WEEK + 1800) == pytest.approx(this)
    assert get_usual(state, 3 * WEEK + 3600) == pytest.approx((this + after) / 2)
    assert get_usual(state, 0.0) == get_usual(state, 3 * WEEK)  # a clock that went back


@settings(max_examples=20)
@given(at=st.floats(0, 3 * WEEK), weeks=st.integers(5, 9))
def test_weeks_of_silence_are_skipped_to_the_same_state(at: float, weeks: int) -> None:
    state = count_claim(advance_state(start_state(0.0, LEAD, "UTC"), at, LEAD, "UTC"), at, LEAD)
    skipped = advance_state(state, at + weeks * WEEK, LEAD, "UTC")
    walked = state
    for week in range(weeks + 1):
        walked = advance_state(walked, at + week * WEEK, LEAD, "UTC")
    assert skipped.hour == walked.hour
    assert list(skipped.usual) == pytest.approx(list(walked.usual), rel=0.1)
    assert list(skipped.rates.list_levels()) == pytest.approx(list(walked.rates.list_levels()), rel=0.1)
