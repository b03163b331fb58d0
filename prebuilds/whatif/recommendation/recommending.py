"""Recommending: from past claims to the ways to keep prebuilds, each with an honest report, and which to take.

For the reports, the end of the history is held out: each option is chosen without it, and then replayed on it. The
recommended options are chosen in the same way from the whole history.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import attrs

from prebuilds.decision.documents.rfc3339 import format_instant
from prebuilds.decision.models import Preset
from prebuilds.decision.wording import describe_duration
from prebuilds.errors import InsufficientHistoryError, InvalidValueError
from prebuilds.whatif.recommendation.autoscaling import fit_autoscale, hold_out_autoscale, require_followable
from prebuilds.whatif.recommendation.backtests import LayoutPlanner, is_size_reached
from prebuilds.whatif.recommendation.caveats import list_caveats
from prebuilds.whatif.recommendation.folds import ReplayedDays, find_holdout, follow_days, replay_days
from prebuilds.whatif.recommendation.history import DemandHistory
from prebuilds.whatif.recommendation.holdout import HoldoutReport, make_report
from prebuilds.whatif.recommendation.layouts.layout import Layout
from prebuilds.whatif.recommendation.options import NOTICED, OptionKind, SizingOption, choose_option
from prebuilds.whatif.recommendation.report import HourForecast, Recommendation, find_targets
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.schedule_replay import list_steps
from prebuilds.whatif.sizing.sweeping import SizeFinder, make_demand
from prebuilds.whatif.targets.target_function import note_past
from prebuilds.whatif.traces.argument_checks import require_on_miss, require_share, require_trace
from prebuilds.whatif.traces.lead_times import LeadTime
from prebuilds.whatif.traces.local_time import HOURS_PER_WEEK, LocalHours
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.trace import Trace
from prebuilds.whatif.views.progress import ReportProgress, show_progress

_FEWEST_DAYS = 4
MAX_WINDOWS = 24


def recommend(
    trace: Trace,
    lead_time: LeadTime | timedelta,
    *,
    hit_rate: float = 0.99,
    timezone: str = "UTC",
    windows: int = 3,
    on_miss: OnMiss | str = OnMiss.COLD_START,
    wake_delay: timedelta = timedelta(),
    seed: int = 0,
    autoscale: bool = False,
    progress: bool = False,
) -> Recommendation:
    """Recommend how many prebuilds to keep, and when, so that this share of future claims finds one ready.

    It compares a single size, the smallest that is enough for the past, with a base count and at most `windows`
    schedules of whole hours, by the clock of `timezone`. Schedules open early enough for what they add to be ready by
    the hour. Treating days of the week differently takes two weeks of history. Each option has a report on days that
    were held out, and the recommendation says which to take. With `autoscale`, a target that follows demand is compared
    too, for hosts that can follow one. Raises `InsufficientHistoryError` for less than four days. `wake_delay`, `seed`
    and `progress` are as for `sweep`.
    """
    if type(windows) is not int or not 0 <= windows <= MAX_WINDOWS:
        raise InvalidValueError("recommend", "windows", windows, f"a whole number from 0 to {MAX_WINDOWS}")
    history = DemandHistory(
        demand=make_demand("recommend", trace, lead_time, wake_delay=wake_delay, seed=seed),
        local=LocalHours("recommend", timezone),
        timezone=timezone,
        hit_rate=require_share("recommend", "hit_rate", hit_rate),
        windows=windows,
        on_miss=require_on_miss("recommend", on_miss),
    )
    _require_enough(history)
    if autoscale:
        require_followable(history)
    with show_progress("recommending", 3, is_shown=progress) as report:
        return _recommend(history, report, follows=autoscale)


def judge(
    recommendation: Recommendation | SizingOption,
    trace: Trace,
    lead_time: LeadTime | timedelta,
    *,
    past: Trace | None = None,
    on_miss: OnMiss | str | None = None,
    wake_delay: timedelta = timedelta(),
    seed: int = 0,
) -> HoldoutReport:
    """Replay a recommendation, or one of its options, on claims that it has not seen, and compare it with single sizes.

    `on_miss` is by default that of the recommendation, or `cold_start` for an option. Autoscale goes on where its fit
    ended: if the trace begins later, `past` has the claims in between. Raises `InvalidValueError` if it begins earlier.
    """
    demand = make_demand("judge", trace, lead_time, wake_delay=wake_delay, seed=seed)
    if isinstance(recommendation, Recommendation):
        option, own = recommendation.chosen, recommendation.on_miss
    elif isinstance(recommendation, SizingOption):
        option, own = recommendation, OnMiss.COLD_START
    else:
        raise InvalidValueError("judge", "recommendation", recommendation, "a Recommendation or a SizingOption")
    mode = own if on_miss is None else require_on_miss("judge", on_miss)
    days = _replay_option(option, demand, past, mode)
    return make_report(demand, days, option.held_out.goal, SizeFinder(demand, mode))


def _replay_option(option: SizingOption, demand: Demand, past: Trace | None, on_miss: OnMiss) -> ReplayedDays:
    if option.fit is None:
        return _replay(demand, option.apply_to(Preset(id="recommended", desired_instances=0)), on_miss)
    end, target = option.held_out.end, option.fit.follow()
    if demand.trace.begin < end:
        allowed = f"claims from {format_instant(end)} on, the end of what autoscale was fitted to"
        raise InvalidValueError("judge", "trace", demand.trace, allowed)
    if past is not None:
        note_past(target, require_trace("judge", past).between(end, demand.trace.begin).ticks)
    return follow_days(demand, target, on_miss)


def _require_enough(history: DemandHistory) -> None:
    trace = history.demand.trace
    if history.days < _FEWEST_DAYS:
        needed = f"a recommendation needs {_FEWEST_DAYS} days of history"
        raise InsufficientHistoryError(f"{needed}, and the trace has {describe_duration(trace.span)}; see `sweep`")
    if not len(history.cut(0, find_holdout(history.days)).claims):
        raise InsufficientHistoryError("a recommendation needs claims, and the history has none to plan on")


def _recommend(history: DemandHistory, report: ReportProgress, *, follows: bool) -> Recommendation:
    options = []
    for done, option in enumerate(_list_options(history, follows=follows), 1):
        options.append(option)
        report(done)
    chosen = choose_option(options)
    return Recommendation(
        options=options,
        chosen=chosen,
        timezone=history.timezone,
        hit_rate=history.hit_rate,
        on_miss=history.on_miss,
        forecast=_forecast_hours(history, chosen),
        caveats=list(list_caveats(history, chosen)),
    )


def _list_options(history: DemandHistory, *, follows: bool) -> Iterator[SizingOption]:
    cut, end = find_holdout(history.days), history.days
    held_out = _hold_out(history, Layout(base=history.find_smallest(cut).size), cut)
    yield _make_option(
        history,
        OptionKind.SINGLE_SIZE,
        Layout(base=history.find_smallest(end).size),
        held_out,
        planned=history.hit_rate,
        is_reached=is_size_reached(history, end),
    )
    if history.windows:
        planner = LayoutPlanner(history)
        held_out = _hold_out(history, planner.plan(planner.choose(cut), cut), cut)
        choice = planner.choose(end)
        layout = planner.plan(choice, end)
        planned = choice.find_planned(history.hit_rate)
        if layout.windows:
            yield _make_option(
                history, OptionKind.SCHEDULES, layout, held_out, planned=planned, is_reached=choice.is_reached
            )
    if follows:
        held_out, fit = hold_out_autoscale(history, cut), fit_autoscale(history, end)
        option = _make_option(
            history,
            OptionKind.AUTOSCALE,
            Layout(base=fit.model.single),
            held_out,
            planned=fit.model.past_hit_rate,
            is_reached=fit.model.is_reached,
        )
        yield attrs.evolve(option, fit=fit)


def _make_option(
    history: DemandHistory,
    kind: OptionKind,
    layout: Layout,
    held_out: HoldoutReport,
    *,
    planned: float,
    is_reached: bool,
) -> SizingOption:
    preset = layout.to_preset(history.timezone)
    return SizingOption(
        kind=kind,
        desired_instances=preset.desired_instances,
        schedules=preset.schedules,
        timezone=history.timezone,
        planned_hit_rate=planned,
        is_reached=is_reached and held_out.hit_rate >= history.hit_rate - NOTICED,
        held_out=held_out,
    )


def _hold_out(history: DemandHistory, layout: Layout, cut: int) -> HoldoutReport:
    demand, preset = history.cut(cut, history.days), layout.to_preset(history.timezone)
    days = _replay(demand, preset, history.on_miss)
    return make_report(demand, days, history.hit_rate, history.find_sizes(cut, history.days))


def _replay(demand: Demand, preset: Preset, on_miss: OnMiss) -> ReplayedDays:
    return replay_days(demand, list_steps(preset, demand.trace.begin, demand.trace.end), on_miss)


def _forecast_hours(history: DemandHistory, option: SizingOption) -> list[HourForecast]:
    preset = option.apply_to(Preset(id="recommended", desired_instances=0))
    profile, targets = history.profile_week(history.days), find_targets(preset)
    return [
        HourForecast(hour_of_week=hour, needed=profile.find_need(hour, history.hit_rate), target=targets[hour])
        for hour in range(HOURS_PER_WEEK)
    ]
