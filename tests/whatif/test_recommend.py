"""Recommendations: they hold on days that they had not seen, and say what the history cannot tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise, product
from statistics import fmean
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebuilds import Preset, Schedule, check_schedules
from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.learning.fitting import fit_demand
from prebuilds.errors import InsufficientHistoryError, InvalidValueError
from prebuilds.whatif import (
    LeadTime,
    MeasuredLeadTime,
    OnMiss,
    OptionKind,
    Recommendation,
    Trace,
    generate_bursts,
    generate_poisson,
    generate_profile,
    judge,
    recommend,
    replay_target,
    sweep,
)
from prebuilds.whatif.recommendation.folds import follow_days, replay_days
from prebuilds.whatif.recommendation.history import DemandHistory
from prebuilds.whatif.recommendation.layouts.day_groups import make_group
from prebuilds.whatif.recommendation.layouts.hit_table import make_hit_table
from prebuilds.whatif.recommendation.layouts.layout import HourWindow, Layout
from prebuilds.whatif.recommendation.layouts.layout_front import make_front
from prebuilds.whatif.recommendation.layouts.layout_search import plan_layout
from prebuilds.whatif.recommendation.layouts.weekly_profile import WeeklyProfile, group_days
from prebuilds.whatif.recommendation.options import choose_option, explain_choice, find_fault
from prebuilds.whatif.sizing.schedule_replay import list_steps, replay
from prebuilds.whatif.sizing.sweeping import find_smallest, make_demand
from prebuilds.whatif.targets.target_function import ConstantTarget, note_past
from prebuilds.whatif.traces.local_time import LocalHours

from .scenarios import traces

UTC = timezone.utc
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
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


@pytest.mark.parametrize("make", [make_office, make_bursts])
def test_the_hit_rate_holds_on_weeks_to_come(make: type) -> None:
    """Three weeks of history, one week that is not in it: within half a point, on the average of six such months."""
    rates = []
    for seed in range(6):
        past, future = make(4, seed).split_at(BEGIN + 21 * DAY)
        rates.append(measure(recommend(past, LEAD_TIME, hit_rate=0.98), future)[0])
    assert fmean(rates) >= 0.975


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
    assert made.held_out.saved_at_equal_hits > 0.3


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
    """The last week of three, with intervals, beside the best single size of the same days for the rate asked for."""
    trace = make_office(3, 1)
    held_out = recommend(trace, LEAD_TIME).held_out
    assert (held_out.begin, held_out.end) == (BEGIN + 14 * DAY, BEGIN + 21 * DAY)
    assert held_out.claims == len(trace.split_at(BEGIN + 14 * DAY)[1])
    assert held_out.hit_rate_interval is not None
    assert held_out.hit_rate_interval.low <= held_out.hit_rate <= held_out.hit_rate_interval.high <= 1
    assert held_out.idle_hours_interval is not None
    assert held_out.idle_hours_interval.mean == pytest.approx(held_out.idle_hours)
    curve = sweep(trace.split_at(BEGIN + 14 * DAY)[1], LEAD_TIME)
    assert held_out.single == curve.smallest(hit_rate=0.99)
    above = curve.smallest(hit_rate=held_out.hit_rate)
    assert curve.for_size(above.size - 1).idle_hours <= held_out.equal_idle_hours <= above.idle_hours
    assert (held_out.goal, held_out.is_reached) == (0.99, held_out.hit_rate >= 0.99)


def test_the_same_arguments_give_the_same_recommendation() -> None:
    """Nothing is left to chance, and a bar on standard error changes nothing."""
    assert recommend(make_office(1, 1), LEAD_TIME) == recommend(make_office(1, 1), LEAD_TIME, progress=True)


def test_it_holds_with_waiting_users_too() -> None:
    """Misses that wait take prebuilds that others would have found."""
    past, future = make_office(4, 4).split_at(BEGIN + 21 * DAY)
    rate, _ = measure(recommend(past, LEAD_TIME, hit_rate=0.98, on_miss="wait"), future)
    assert rate >= 0.975


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


def test_windows_are_written_as_cron() -> None:
    """Hours past midnight and days of the week as ranges, Sunday being 0 in cron and 6 here."""
    night = HourWindow(days=(0, 1, 2, 3, 4), first=22, length=4, level=2)
    weekend = HourWindow(days=(5, 6), first=0, length=24, level=1)
    preset = Layout(base=2, windows=(night, weekend)).to_preset("UTC")
    assert (preset.desired_instances, preset.schedules) == (1, (Schedule(cron="* * * * 1-5", instances=2),))
    preset = Layout(base=5, windows=(night,)).to_preset("UTC")
    assert (preset.desired_instances, preset.schedules) == (5, (Schedule(cron="* 0-1,22-23 * * 1-5", instances=2),))


def test_a_layout_has_the_base_that_needs_fewest_schedules() -> None:
    """One window by day says the same as one for nights and one for weekends."""
    nights = HourWindow(days=(0, 1, 2, 3, 4), first=18, length=13, level=1)
    weekends = HourWindow(days=(5, 6), first=0, length=24, level=1)
    preset = Layout(base=5, windows=(nights, weekends)).to_preset("UTC")
    assert (preset.desired_instances, preset.schedules) == (1, (Schedule(cron="* 7-17 * * 1-5", instances=5),))


def test_busy_and_quiet_days_are_told_apart() -> None:
    """By the claims an hour of each."""
    assert group_days(make_history(make_office(2, 1)).profile_week(14)) == ((0, 1, 2, 3, 4), (5, 6))


def make_history(trace: Trace, timezone: str = "UTC", **changes: Any) -> DemandHistory:
    given = {"hit_rate": 0.99, "windows": 3, "on_miss": OnMiss.COLD_START, **changes}
    lead_time = given.pop("lead_time", LEAD_TIME)
    demand = make_demand("test", trace, lead_time, wake_delay=timedelta(), seed=0)
    return DemandHistory(demand=demand, local=LocalHours("test", timezone), timezone=timezone, **given)


@pytest.mark.parametrize("on_miss", OnMiss)
@pytest.mark.parametrize("hit_rate", [0.9, 0.99, 0.999])
@pytest.mark.parametrize("make", [make_office, make_bursts])
def test_without_windows_it_is_the_smallest_size_that_is_enough(make: type, hit_rate: float, on_miss: OnMiss) -> None:
    """What `sweep` finds on the same claims, exactly: no margin, no level left out, cold starts counted as they are."""
    trace = make(3, 5)
    made = recommend(trace, LEAD_TIME, hit_rate=hit_rate, windows=0, on_miss=on_miss)
    best = sweep(trace, LEAD_TIME, on_miss=on_miss).smallest(hit_rate=hit_rate)
    assert (made.desired_instances, made.schedules) == (best.size, ())
    assert recommend(trace, LEAD_TIME, hit_rate=hit_rate, on_miss=on_miss).options[0].desired_instances == best.size


def test_misses_are_allowed_where_readiness_is_dearest() -> None:
    """Nights have 1 claim in 100. With 98 % asked for they may miss theirs, so nothing is kept for them."""
    rates = [30.0 if 8 <= hour < 20 else 0.25 for _ in range(7) for hour in range(24)]
    trace = generate_profile(rates, begin=BEGIN, end=BEGIN + 28 * DAY, seed=3)
    targets = {hour.hour_of_week: hour.target for hour in recommend(trace, LEAD_TIME, hit_rate=0.98).forecast}
    assert [targets[hour] for hour in (1, 3, 23)] == [0, 0, 0]
    assert min(targets[hour] for hour in range(9, 19)) >= 5


def test_the_single_size_is_taken_where_windows_save_nothing() -> None:
    """Claims that come alike at all hours. The recommendation says which option to take, and why."""
    trace = generate_poisson(20, begin=BEGIN, end=BEGIN + 28 * DAY, seed=2)
    made = recommend(trace, LEAD_TIME)
    assert made.chosen is made.options[0] is made.find_option("single size")
    assert made.notes[0].startswith("Take the single size.")
    with pytest.raises(
        InvalidValueError, match=r"find_option\.kind: 'autopilot' is not allowed; it must be 'single size'"
    ):
        made.find_option("autopilot")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [make_office, make_bursts])
def test_what_is_recommended_was_not_worse_than_the_single_size(make: type, seed: int) -> None:
    """On the days held out: no idle hours more at equal hits, and no hits less than chance explains."""
    made = recommend(make(4, seed), LEAD_TIME)
    chosen, single = made.held_out, made.options[0].held_out
    assert chosen.hit_rate_interval is not None
    assert chosen.hit_rate_interval.high >= min(0.99, single.hit_rate) - 0.002
    assert chosen.saved_at_equal_hits >= single.saved_at_equal_hits


def test_options_are_compared_in_words() -> None:
    """Schedules that saved; schedules with too few hits; schedules that saved nothing; no claims to tell."""
    made = recommend(make_office(4, 1), LEAD_TIME)
    single, schedules = made.options
    assert made.chosen is schedules
    worse = {"hit_rate": 0.5, "hit_rate_interval": None}
    few = attrs.evolve(schedules, held_out=attrs.evolve(schedules.held_out, **worse))
    idle = attrs.evolve(schedules, held_out=attrs.evolve(schedules.held_out, idle_hours=10_000))
    none = attrs.evolve(schedules, held_out=attrs.evolve(schedules.held_out, claims=0))
    assert find_fault(schedules, single) is None
    assert find_fault(few, single) == f"had only 50.00% of hits, and the single size {single.held_out.hit_rate:.2%}"
    assert find_fault(idle, single) == "did not idle less than single sizes with as many hits"
    assert find_fault(none, single) == "had no claims to be compared on"
    assert [choose_option([single, other]) for other in (schedules, few, idle, none)] == [schedules] + [single] * 3
    assert list(explain_choice([single, idle], single)) == [
        "Take the single size. On the days held out, schedules did not idle less than single sizes with as many hits."
    ]
    missed = attrs.evolve(single, is_reached=False)
    assert (
        list(explain_choice([missed], missed))[1]
        == "Do not count on 0.99: backtests or the days held out did not reach it."
    )


def test_a_promise_of_everything_is_not_made() -> None:
    """With a hit rate of 1 the caveat says that no history shows it, and no number of claims is enough."""
    made = recommend(make_office(2, 1), LEAD_TIME, hit_rate=1.0)
    assert made.caveats[0] == (
        "No history can promise 100 %: this is what 3,117 claims needed, and later ones may need more."
    )
    assert made.options[0].desired_instances == sweep(make_office(2, 1), LEAD_TIME).smallest(hit_rate=1.0).size


def test_the_causes_of_a_missed_goal_are_told() -> None:
    """A short past, batches and growth."""
    storm = [BEGIN + 11 * DAY + timedelta(seconds=number) for number in range(300)]
    some = generate_poisson(2, begin=BEGIN, end=BEGIN + 8 * DAY, seed=1)
    more = generate_poisson(8, begin=BEGIN + 8 * DAY, end=BEGIN + 12 * DAY, seed=1)
    trace = Trace.from_claims([*some, *more, *storm], begin=BEGIN, end=BEGIN + 12 * DAY)
    caveats = recommend(trace, LEAD_TIME, windows=0).caveats
    assert [caveat.partition(":")[0] for caveat in caveats] == ["Unknown", "Short past", "Batches", "Growth"]


def test_any_option_is_judged() -> None:
    """An option alone, and a recommendation by its chosen option, in its own way to miss."""
    past, future = make_office(4, 1).split_at(BEGIN + 21 * DAY)
    made = recommend(past, LEAD_TIME, on_miss="wait")
    single = judge(made.options[0], future, LEAD_TIME, on_miss="wait")
    curve = sweep(future, LEAD_TIME, on_miss="wait")
    point = curve.for_size(made.options[0].desired_instances)
    assert (single.hit_rate, single.idle_hours) == (point.hit_rate, pytest.approx(point.idle_hours))
    assert judge(made, future, LEAD_TIME) == judge(made.chosen, future, LEAD_TIME, on_miss=OnMiss.WAIT)
    with pytest.raises(InvalidValueError, match=r"judge\.recommendation: 5 is not allowed; it must be a Rec"):
        judge(5, future, LEAD_TIME)  # type: ignore[arg-type]


LEADS = st.sampled_from((LEAD_TIME, MeasuredLeadTime(samples=[timedelta(seconds=20), timedelta(minutes=15)])))


@settings(max_examples=60)
@given(traces(), LEADS, st.sampled_from(OnMiss))
def test_a_hit_table_counts_as_a_sweep_does(trace: Trace, lead_time: LeadTime | timedelta, on_miss: OnMiss) -> None:
    """Over all hours, each level misses what `sweep` says, and the last misses nothing."""
    history = make_history(trace, lead_time=lead_time, on_miss=on_miss)
    table = make_hit_table(history.demand, on_miss, history.local, 1)
    curve = sweep(trace, lead_time, on_miss=on_miss, sizes=table.levels)
    assert [sum(row) for row in table.missed] == [point.misses for point in curve]
    assert (sum(table.claims), sum(table.missed[-1])) == (len(trace), 0)


def test_a_hit_table_has_a_few_of_many_levels() -> None:
    """A thousand claims at once need a thousand prebuilds; few sizes are measured, small ones closer together."""
    trace = Trace.from_claims([BEGIN] * 1_000, begin=BEGIN, end=BEGIN + DAY)
    history = make_history(trace)
    levels = make_hit_table(history.demand, OnMiss.WAIT, history.local, 1).levels
    assert len(levels) <= 41
    assert (levels[:5], levels[-1]) == ((0, 1, 2, 3, 4), 1_000)
    assert all(b / a < 1.6 for a, b in pairwise(levels[3:]))


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_the_targets_of_a_layout_are_those_of_its_preset(timezone: str) -> None:
    """Found by hours, they are what production decides, where clocks are put back or forward too."""
    begin = datetime(2026, 3, 20, 5, 7, tzinfo=UTC)
    trace = Trace.from_claims([], begin=begin, end=begin + 250 * DAY)
    history = make_history(trace, timezone)
    windows = (
        HourWindow(days=(0, 1, 2, 3, 4), first=22, length=5, level=9),
        HourWindow(days=(6,), first=8, length=4, level=0),
    )
    layout = Layout(base=2, windows=windows)
    targets = list_steps(layout.to_preset(timezone), trace.begin, trace.end)
    assert drop_repeats(history.list_steps(layout, history.demand)) == drop_repeats(targets)


def drop_repeats(steps: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Only the steps that change the target."""
    return [step for place, step in enumerate(steps) if not place or step[1] != steps[place - 1][1]]


def test_a_front_has_the_best_counts_for_any_number_of_misses() -> None:
    """The same as trying all counts of the base and of both windows."""
    history = make_history(make_office(2, 2))
    profile = history.profile_week(14)
    windows = (
        HourWindow(days=tuple(range(7)), first=8, length=10, level=6),
        HourWindow(days=tuple(range(7)), first=20, length=3, level=5),
    )
    levels = range(len(profile.levels))
    groups = [make_group(profile, range(7), levels, 1)]
    front = make_front(Layout(base=5, windows=windows), groups, profile.levels)
    stretches = [groups[0].make_stretch(window.first, window.length) for window in windows]

    def weigh(base: int, *others: int) -> tuple[float, int]:
        idle = groups[0].hours * base + sum((n - base) * s.hours for n, s in zip(others, stretches, strict=True))
        missed = sum(s.count_missed(base, n) for n, s in zip(others, stretches, strict=True))
        return idle, groups[0].count_missed(base) + missed

    everything = [weigh(*counts) for counts in product(range(1, 10), levels, levels)]
    for allowed in (0, 5, 20, 100, 400):
        layout = front.pick(allowed)
        found = weigh(layout.base, *(window.level for window in layout.windows))
        assert found[1] <= allowed
        assert found[0] == pytest.approx(min(idle for idle, missed in everything if missed <= allowed), rel=0.01)


def test_days_alike_in_every_sum_keep_their_own_windows() -> None:
    """Two groups of days with the same claims each get the same windows, on their own days."""
    levels = (0, 1, 2, 8)
    day = [8 if 9 <= hour < 17 else 0 for hour in range(24)]
    missed = tuple(tuple([max(claims - level, 0) for claims in day] * 7) for level in levels)
    profile = WeeklyProfile(levels=levels, hours=(1.0,) * 168, claims=tuple(day * 7), missed=missed)
    groups = [(0, 1, 2), (3, 4, 5)]
    layout = plan_layout(profile, groups, hit_rate=0.95, windows=2, lead_hours=1)
    first, second = ([window for window in layout.windows if window.days == days] for days in groups)
    assert first
    assert second == [attrs.evolve(window, days=groups[1]) for window in first]


@pytest.fixture(scope="module")
def followed() -> Recommendation:
    """Six weeks of an office, with a target that follows demand."""
    return recommend(make_office(6, 1), LEAD_TIME, hit_rate=0.95, autoscale=True)


def test_autoscale_is_compared_if_asked_for(followed: Recommendation) -> None:
    """Fitted before the days held out, and replayed on them; the option has the fit of the whole past."""
    assert [option.kind for option in followed.options] == list(OptionKind)
    past, rest = make_office(6, 1).split_at(BEGIN + 28 * DAY)
    option = followed.find_option("autoscale")
    assert option.fit is not None
    limits = Autoscale(hit_rate=0.95, lead_time=LEAD_TIME, max_instances=option.fit.model.autoscale.max_instances)
    fit = fit_demand(past, autoscale=limits, begin=past.begin, end=past.end)
    done = replay_target(rest, LEAD_TIME, fit.follow())
    assert option.held_out.hit_rate == done.hit_rate
    assert option.held_out.idle_hours == pytest.approx(done.idle_hours)
    assert option.held_out.builds_per_claim == done.builds_per_claim
    assert option.desired_instances == option.fit.model.single == followed.options[0].desired_instances
    assert option.fit.model.days == pytest.approx(42, abs=0.1)
    if followed.chosen is option:
        assert option.fit.model.explain() in followed.notes


def test_autoscale_is_judged_from_where_its_fit_ended(followed: Recommendation) -> None:
    """At once, or later with the claims in between; earlier is an error."""
    option = followed.find_option(OptionKind.AUTOSCALE)
    assert option.fit is not None
    end = option.held_out.end
    later = generate_profile(OFFICE, begin=end, end=end + 7 * DAY, seed=9)
    between, last = later.split_at(end + 3 * DAY)
    assert judge(option, later, LEAD_TIME).claims == len(later)
    target = option.fit.follow()
    note_past(target, between.ticks)
    done = replay_target(last, LEAD_TIME, target)
    judged = judge(option, last, LEAD_TIME, past=later)
    assert (judged.hit_rate, judged.idle_hours) == (done.hit_rate, pytest.approx(done.idle_hours))
    with pytest.raises(InvalidValueError, match=r"judge\.trace: .* the end of what autoscale was fitted to"):
        judge(option, make_office(6, 1), LEAD_TIME)


def test_what_cannot_be_followed_is_said() -> None:
    """Every claim a hit; builds that take no time."""
    with pytest.raises(InvalidValueError, match=r"recommend\.hit_rate: 1\.0 is not allowed; .* below 1, for autoscale"):
        recommend(make_office(1, 1), LEAD_TIME, hit_rate=1.0, autoscale=True)
    with pytest.raises(InvalidValueError, match=r"recommend\.lead_time: .* from 1 second to 1 day .*, for autoscale"):
        recommend(make_office(1, 1), timedelta(), autoscale=True)


@settings(max_examples=50)
@given(traces(), st.integers(0, 3), st.sampled_from(OnMiss))
def test_the_days_of_a_followed_target_add_up(trace: Trace, size: int, on_miss: OnMiss) -> None:
    """To the whole replay, and to what a constant has day by day."""
    demand = make_demand(
        "test", attrs.evolve(trace, end=trace.end + 2 * DAY), LEAD_TIME, wake_delay=timedelta(), seed=0
    )
    days = follow_days(demand, ConstantTarget(size), on_miss)
    assert days == replay_days(demand, [(demand.begin, size)], on_miss)
    assert len(days.days) == 3
