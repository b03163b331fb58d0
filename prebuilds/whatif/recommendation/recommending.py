"""Recommending: from past claims to a base count and schedules, with an honest report of how well they work.

For the report, the end of the history is held out: the shape, the counts and the margin are chosen without it, and then
replayed on it. The recommendation itself is made in the same way from the whole history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from prebuilds.decision.models import Preset
from prebuilds.decision.wording import describe_count, describe_duration
from prebuilds.errors import InsufficientHistoryError, InvalidValueError
from prebuilds.whatif.recommendation.backtests import DAYS_TO_TELL_DAYS_APART, DemandHistory
from prebuilds.whatif.recommendation.folds import estimate_ratio, list_origins, replay_days
from prebuilds.whatif.recommendation.report import WEEKDAYS, HoldoutReport, HourForecast, Recommendation, find_targets
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.sweeping import find_smallest, make_demand
from prebuilds.whatif.traces.argument_checks import require_on_miss, require_share
from prebuilds.whatif.traces.lead_times import LeadTime
from prebuilds.whatif.traces.local_time import HOURS_PER_WEEK, LocalHours
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.trace import Trace
from prebuilds.whatif.views.intervals import Interval, find_t_quantile
from prebuilds.whatif.views.progress import ReportProgress, show_progress

_FEWEST_DAYS = 4
MAX_WINDOWS = 24
_TRAINED = 2 / 3  # about this share of the history comes before the days that are held out


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
    progress: bool = False,
) -> Recommendation:
    """Recommend how many prebuilds to keep, and when, so that this share of future claims finds one ready.

    A recommendation is a base count and at most `windows` schedules of whole hours, by the clock of `timezone`. They
    open early enough for what they add to be ready by the hour. Treating days of the week differently takes two weeks
    of history. Raises `InsufficientHistoryError` for less than four days. `wake_delay`, `seed` and `progress` are as
    for `sweep`.
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
    with show_progress("recommending", 3, is_shown=progress) as report:
        return _recommend(history, report)


def judge(
    recommendation: Recommendation,
    trace: Trace,
    lead_time: LeadTime | timedelta,
    *,
    wake_delay: timedelta = timedelta(),
    seed: int = 0,
) -> HoldoutReport:
    """Replay a recommendation on claims that it has not seen, and compare it with the best single size for them."""
    if not isinstance(recommendation, Recommendation):
        raise InvalidValueError("judge", "recommendation", recommendation, "a Recommendation")
    demand = make_demand("judge", trace, lead_time, wake_delay=wake_delay, seed=seed)
    preset = recommendation.apply_to(Preset(id="recommended", desired_instances=0))
    return _measure(demand, preset, recommendation.on_miss)


def _require_enough(history: DemandHistory) -> None:
    trace = history.demand.trace
    if history.days < _FEWEST_DAYS:
        needed = f"a recommendation needs {_FEWEST_DAYS} days of history"
        raise InsufficientHistoryError(f"{needed}, and the trace has {describe_duration(trace.span)}; see `sweep`")
    if not len(history.cut(0, _find_cut(history)).claims):
        raise InsufficientHistoryError("a recommendation needs claims, and the history has none to plan on")


def _recommend(history: DemandHistory, report: ReportProgress) -> Recommendation:
    held_out = _hold_out(history, _find_cut(history))
    report(1)
    choice = history.choose(history.days)
    report(2)
    layout = history.plan(choice.shape, history.days).scale(choice.margin)
    preset = layout.to_preset(history.timezone)
    return Recommendation(
        desired_instances=preset.desired_instances,
        schedules=preset.schedules,
        timezone=history.timezone,
        hit_rate=history.hit_rate,
        on_miss=history.on_miss,
        margin=choice.margin,
        is_reached=choice.is_reached,
        held_out=held_out,
        forecast=_forecast_hours(history, preset),
        caveats=list(_list_caveats(history, len(preset.schedules))),
    )


def _forecast_hours(history: DemandHistory, preset: Preset) -> list[HourForecast]:
    profile, targets = history.profile_week(history.days), find_targets(preset)
    return [
        HourForecast(hour_of_week=hour, needed=profile.find_need(hour, history.hit_rate), target=targets[hour])
        for hour in range(HOURS_PER_WEEK)
    ]


def _find_cut(history: DemandHistory) -> int:
    """The first day that is held out. Backtests cut the history there too, but not for the first time."""
    return min(list_origins(history.days)[1:], key=lambda day: abs(day - _TRAINED * history.days))


def _hold_out(history: DemandHistory, cut: int) -> HoldoutReport:
    choice = history.choose(cut)
    layout = history.plan(choice.shape, cut).scale(choice.margin)
    return _measure(history.cut(cut, history.days), layout.to_preset(history.timezone), history.on_miss)


def _measure(demand: Demand, preset: Preset, on_miss: OnMiss) -> HoldoutReport:
    days = replay_days(demand, preset, on_miss)
    claims, misses = len(demand.claims), sum(day.misses for day in days)
    rate = (claims - misses) / claims if claims else 1.0
    return HoldoutReport(
        begin=demand.trace.begin,
        end=demand.trace.end,
        claims=claims,
        hit_rate=rate,
        hit_rate_interval=_find_interval([(day.claims - day.misses, day.claims) for day in days], 1.0, most=1.0),
        idle_hours=sum(day.idle_hours for day in days),
        idle_hours_interval=_find_interval([(day.idle_hours, 1.0) for day in days], len(days)),
        single=find_smallest(demand, on_miss, rate),
    )


def _find_interval(pairs: Sequence[tuple[float, float]], scale: float, most: float = float("inf")) -> Interval | None:
    """The interval of a ratio of sums over days, times a scale; None for fewer than two days."""
    if len(pairs) < 2:
        return None
    ratio, error = estimate_ratio(pairs)
    reach = find_t_quantile(len(pairs) - 1) * error
    return Interval(mean=ratio * scale, low=max(0.0, (ratio - reach) * scale), high=min(most, (ratio + reach) * scale))


def _list_caveats(history: DemandHistory, windows: int) -> Iterator[str]:
    """What a user of the recommendation must know: what the history cannot tell, and when windows open."""
    profile = history.profile_week(history.days)
    unknown = [WEEKDAYS[day] for day in range(7) if not profile.is_day_watched(day)]
    if unknown:
        yield f"Unknown: the history has no whole {', '.join(unknown)}; what is kept then is that of the other days."
    elif history.days < DAYS_TO_TELL_DAYS_APART:
        yield f"Unknown: whether days of the week differ, as {history.days} days of history cannot tell."
    fewest = round(1 / max(1 - history.hit_rate, 1e-9))
    if profile.claims < fewest:
        few = f"With {profile.claims} claims, fewer than {fewest}"
        yield f"{few}, a single miss decides whether the hit rate is reached."
    if windows and history.lead_hours:
        early = describe_count(history.lead_hours, "hour")
        yield f"Windows that raise the count open {early} early, so that what they add is ready by the hour."
