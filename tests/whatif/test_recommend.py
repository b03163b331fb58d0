"""Recommendations: they hold on days that they had not seen, and say what the history cannot tell."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest

from prebuilds import Preset, Schedule, check_schedules
from prebuilds.errors import InsufficientHistoryError, InvalidValueError
from prebuilds.whatif import (
    OnMiss,
    Recommendation,
    Trace,
    generate_bursts,
    generate_poisson,
    generate_profile,
    recommend,
)
from prebuilds.whatif.recommendation.layout_search import HourWindow, Layout
from prebuilds.whatif.recommendation.weekly_profile import group_days, profile_week
from prebuilds.whatif.sizing.schedule_replay import list_steps, replay
from prebuilds.whatif.sizing.sweeping import find_smallest, make_demand
from prebuilds.whatif.traces.local_time import LocalHours

BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)  # a Monday
DAY = timedelta(days=1)
LEAD_TIME = timedelta(minutes=5)
OFFICE = [30.0 if day < 5 and 8 <= hour < 18 else 1.0 for day in range(7) for hour in range(24)]


def make_office(weeks: int, seed: int) -> Trace:
    """Claims of an office: busy on weekdays from 8 to 18, and hardly any else."""
    return generate_profile(OFFICE, begin=BEGIN, end=BEGIN + weeks * 7 * DAY, seed=seed)


def make_bursts(weeks: int, seed: int) -> Trace:
    """Claims that come alone, and now and then many at once."""
    end = BEGIN + weeks * 7 * DAY
    alone = generate_poisson(8, begin=BEGIN, end=end, seed=seed)
    together = generate_bursts(0.4, size=5, within=timedelta(minutes=8), begin=BEGIN, end=end, seed=seed)
    return Trace.from_claims([*alone, *together], begin=BEGIN, end=end)


def measure(made: Recommendation, future: Trace) -> tuple[float, float]:
    """The hit rate and the idle hours of a recommendation on claims that came after it."""
    demand = make_demand("test", future, LEAD_TIME, wake_delay=timedelta(), seed=0)
    preset = made.apply_to(Preset(id="p", desired_instances=0))
    done = replay(demand, list_steps(preset, future.begin, future.end), made.on_miss)
    return sum(done.hits) / len(future), done.idle[-1] / 3.6e9


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("make", [make_office, make_bursts])
def test_the_hit_rate_holds_on_weeks_to_come(make: type, seed: int) -> None:
    """Three weeks of history, one week that is not in it."""
    past, future = make(4, seed).split_at(BEGIN + 21 * DAY)
    rate, _ = measure(recommend(past, LEAD_TIME, hit_rate=0.98), future)
    assert rate >= 0.98


def test_windows_idle_far_less_than_a_single_size_where_days_have_a_shape() -> None:
    """An office idles less than 0.6 times as long as with the best single size for the same hits."""
    past, future = make_office(4, 3).split_at(BEGIN + 21 * DAY)
    made = recommend(past, LEAD_TIME)
    rate, idle = measure(made, future)
    demand = make_demand("test", future, LEAD_TIME, wake_delay=timedelta(), seed=0)
    assert idle < find_smallest(demand, OnMiss.COLD_START, rate).idle_hours * 0.6
    assert 1 <= len(made.schedules) <= 3
    assert check_schedules(made.schedules, made.timezone) == ()
    assert made.held_out.idle_hours_saved > 0


def test_there_are_no_more_windows_than_asked_for() -> None:
    """None asked for, none given."""
    trace = make_office(3, 1)
    assert recommend(trace, LEAD_TIME, windows=0).schedules == ()
    assert len(recommend(trace, LEAD_TIME, windows=1).schedules) == 1


def test_windows_open_early_enough() -> None:
    """The rush begins at 8, so the target is already up in the hour from 7; and by the clock of the zone."""
    made = recommend(make_office(3, 1), LEAD_TIME)
    targets = {hour.hour_of_week: hour.target for hour in made.forecast}
    rush = targets[24 + 9]
    assert rush > targets[24 + 4]
    assert targets[24 + 7] == targets[24 + 8] == rush
    shifted = recommend(make_office(3, 1), LEAD_TIME, timezone="Asia/Tokyo")
    assert {hour.hour_of_week: hour.target for hour in shifted.forecast}[24 + 16] >= rush - 1


def test_the_report_is_of_days_that_were_not_planned_on() -> None:
    """The last week of three, with intervals, beside the best single size of the same days."""
    trace = make_office(3, 1)
    held_out = recommend(trace, LEAD_TIME).held_out
    assert (held_out.begin, held_out.end) == (BEGIN + 14 * DAY, BEGIN + 21 * DAY)
    assert held_out.claims == len(trace.split_at(BEGIN + 14 * DAY)[1])
    assert held_out.hit_rate_interval is not None
    assert held_out.hit_rate_interval.low <= held_out.hit_rate <= held_out.hit_rate_interval.high <= 1
    assert held_out.idle_hours_interval is not None
    assert held_out.idle_hours_interval.mean == pytest.approx(held_out.idle_hours)
    assert held_out.single.hit_rate >= held_out.hit_rate


def test_the_same_arguments_give_the_same_recommendation() -> None:
    """Nothing is left to chance, and a bar on standard error changes nothing."""
    assert recommend(make_office(1, 1), LEAD_TIME) == recommend(make_office(1, 1), LEAD_TIME, progress=True)


def test_it_holds_with_waiting_users_too() -> None:
    """Misses that wait take prebuilds that others would have found."""
    past, future = make_office(4, 4).split_at(BEGIN + 21 * DAY)
    rate, _ = measure(recommend(past, LEAD_TIME, hit_rate=0.98, on_miss="wait"), future)
    assert rate >= 0.98


def test_too_little_history_is_said() -> None:
    """An hour is no history; neither are four days without a claim."""
    hour = generate_poisson(100, begin=BEGIN, end=BEGIN + DAY / 24, seed=1)
    with pytest.raises(InsufficientHistoryError, match="needs 4 days of history, and the trace has 1 h"):
        recommend(hour, LEAD_TIME)
    empty = Trace.from_claims([], begin=BEGIN, end=BEGIN + 9 * DAY)
    with pytest.raises(InsufficientHistoryError, match="the history has none to plan on"):
        recommend(empty, LEAD_TIME)


def test_what_the_history_lacks_is_reported() -> None:
    """Days of the week that were never watched; whether days differ; a rate that so few claims cannot show."""
    five = generate_poisson(20, begin=BEGIN, end=BEGIN + 5 * DAY, seed=1)
    assert recommend(five, LEAD_TIME).caveats[0] == (
        "Unknown: the history has no whole Sat, Sun; what is kept then is that of the other days."
    )
    assert [hour.needed for hour in recommend(five, LEAD_TIME).forecast[5 * 24 :]] == [None] * 48
    ten = generate_poisson(20, begin=BEGIN, end=BEGIN + 10 * DAY, seed=1)
    assert recommend(ten, LEAD_TIME).caveats[0] == (
        "Unknown: whether days of the week differ, as 10 days of history cannot tell."
    )
    few = generate_poisson(0.1, begin=BEGIN, end=BEGIN + 21 * DAY, seed=1)
    assert re.search(
        r"With \d+ claims, fewer than 100, a single miss decides", " ".join(recommend(few, LEAD_TIME).caveats)
    )


def test_wrong_arguments_are_named() -> None:
    """The zone, the number of windows and the hit rate."""
    trace = make_office(1, 1)
    with pytest.raises(InvalidValueError, match=r"recommend.timezone: 'Mars' is not allowed"):
        recommend(trace, LEAD_TIME, timezone="Mars")
    with pytest.raises(InvalidValueError, match=r"recommend.windows: -1 is not allowed"):
        recommend(trace, LEAD_TIME, windows=-1)
    with pytest.raises(InvalidValueError, match=r"recommend.hit_rate: 99 is not allowed"):
        recommend(trace, LEAD_TIME, hit_rate=99)


def test_a_window_is_written_as_cron() -> None:
    """Hours past midnight and days of the week as ranges, Sunday being 0 in cron and 6 here."""
    night = HourWindow(days=(0, 1, 2, 3, 4), first=22, length=4, level=2)
    assert night.to_schedule() == Schedule(cron="* 0-1,22-23 * * 1-5", instances=2)
    weekend = HourWindow(days=(5, 6), first=0, length=24, level=1)
    assert weekend.to_schedule() == Schedule(cron="* * * * 0,6", instances=1)


def test_a_margin_raises_every_count_in_time() -> None:
    """A small margin leaves small counts as they are; a larger one raises even a base of none."""
    layout = Layout(base=0, windows=(HourWindow(days=(0,), first=8, length=2, level=9),))
    assert (layout.scale(0.0), layout.scale(0.1).base, layout.scale(0.1).windows[0].level) == (layout, 0, 10)
    assert layout.scale(0.5).base == 1


def test_busy_and_quiet_days_are_told_apart() -> None:
    """By the claims an hour of each."""
    demand = make_demand("test", make_office(2, 1), LEAD_TIME, wake_delay=timedelta(), seed=0)
    assert group_days(profile_week(demand, LocalHours("test", "UTC"))) == ((0, 1, 2, 3, 4), (5, 6))
