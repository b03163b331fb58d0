"""Backtests: plan a layout on the first days of a history, and replay it on the days after them.

- Days are spans of 24 hours from the start of the history. A cut parts the days to plan on from the days to replay.
- A layout has one of three *shapes*: no windows; the same windows every day; or separate windows for busy and quiet
  days of the week. Its counts are raised by the smallest margin that keeps the upper bound of misses within the goal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

import attrs

from prebuilds.whatif.recommendation.folds import DayResult, estimate_ratio, list_origins, replay_days
from prebuilds.whatif.recommendation.layout import Layout
from prebuilds.whatif.recommendation.layout_search import plan_layout
from prebuilds.whatif.recommendation.weekly_profile import WeeklyProfile, group_days, profile_week
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.traces.local_time import LocalHours
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR, count_ticks
from prebuilds.whatif.views.intervals import find_t_quantile

DAY = timedelta(days=1)
DAYS_TO_TELL_DAYS_APART = 14
_ALMOST = timedelta(hours=1)
_EVERY_DAY = (tuple(range(7)),)
_MARGINS = tuple(step / 20 for step in range(81))
_BOTH_SIDES = 0.9  # the level of an interval with 5 % of cases above it and 5 % below
_WORTH = 0.03  # the share of idle hours that a more complex shape must save
_LONGEST_LEAD = 0.95  # the quantile of lead times for which windows open early


@attrs.frozen(kw_only=True)
class LayoutShape:
    """How a layout may look: at most `windows` windows, for all days alike or for busy and quiet days apart."""

    windows: int
    tells_days_apart: bool = False


@attrs.frozen(kw_only=True)
class ShapeBacktest:
    """The backtests of one shape: the margin it needs, whether that reaches the goal, and the idle hours."""

    shape: LayoutShape
    margin: float
    is_reached: bool
    idle_hours: float


@attrs.frozen(kw_only=True, eq=False)
class DemandHistory:
    """The demand of the past, and the goal for the future. It keeps what it has planned."""

    demand: Demand
    local: LocalHours
    timezone: str
    hit_rate: float
    windows: int
    on_miss: OnMiss
    _profiles: dict[int, WeeklyProfile] = attrs.field(factory=dict, init=False)
    _layouts: dict[tuple[LayoutShape, int], Layout] = attrs.field(factory=dict, init=False)

    @property
    def days(self) -> int:
        """The number of days. A last day of more than 23 hours counts: traces begin only with their first claim."""
        return (self.demand.trace.span + _ALMOST) // DAY

    @property
    def lead_hours(self) -> int:
        """How many whole hours early a window opens, so that what it adds is ready in time."""
        demand = self.demand
        return ceil((count_ticks(demand.lead_time.quantile(_LONGEST_LEAD)) + demand.wake_ticks) / TICKS_PER_HOUR)

    def find_instant(self, day: int) -> datetime:
        """The start of a day. For the day after the last, this is the end of the trace."""
        trace = self.demand.trace
        return trace.end if day >= self.days else trace.begin + day * DAY

    def cut(self, begin: int, end: int) -> Demand:
        """The demand from the start of one day to the start of another."""
        trace = self.demand.trace
        if end < self.days:
            trace = trace.split_at(self.find_instant(end))[0]
        return attrs.evolve(self.demand, trace=trace.split_at(self.find_instant(begin))[1])

    def profile_week(self, day: int) -> WeeklyProfile:
        """The profile of everything before a day."""
        if day not in self._profiles:
            self._profiles[day] = profile_week(self.cut(0, day), self.local)
        return self._profiles[day]

    def plan(self, shape: LayoutShape, day: int) -> Layout:
        """Plan a layout of this shape on everything before a day."""
        if (shape, day) not in self._layouts:
            profile = self.profile_week(day)
            self._layouts[shape, day] = plan_layout(
                profile,
                group_days(profile) if shape.tells_days_apart else _EVERY_DAY,
                hit_rate=self.hit_rate,
                windows=shape.windows,
                lead_hours=self.lead_hours,
            )
        return self._layouts[shape, day]

    def replay(self, layout: Layout, begin: int, end: int) -> list[DayResult]:
        """The results of a layout, day by day, from the start of one day to the start of another."""
        return replay_days(self.cut(begin, end), layout.to_preset(self.timezone), self.on_miss)

    def choose(self, end: int) -> ShapeBacktest:
        """The shape that idles least with the margin it needs. Only days before `end` are looked at."""
        choices = [self._find_margin(shape, end) for shape in self._list_shapes(end)]
        best = choices[0]
        for choice in choices[1:]:
            if choice.is_reached and (not best.is_reached or choice.idle_hours < best.idle_hours * (1 - _WORTH)):
                best = choice
        return best

    def _list_shapes(self, end: int) -> list[LayoutShape]:
        """The shapes that the days before `end` allow, from the simplest to the most complex."""
        shapes = [LayoutShape(windows=0)]
        if self.windows:
            shapes.append(LayoutShape(windows=self.windows))
        if self.windows and end >= DAYS_TO_TELL_DAYS_APART:
            shapes.append(LayoutShape(windows=self.windows, tells_days_apart=True))
        return shapes

    def _find_margin(self, shape: LayoutShape, end: int) -> ShapeBacktest:
        """Find the smallest margin that reaches the goal, by bisection: a larger margin never misses more."""
        allowed = 1 - self.hit_rate
        low, high = 0, len(_MARGINS) - 1
        while low < high:
            middle = (low + high) // 2
            if self._backtest(shape, _MARGINS[middle], end)[0] <= allowed:
                high = middle
            else:
                low = middle + 1
        upper, idle = self._backtest(shape, _MARGINS[low], end)
        return ShapeBacktest(shape=shape, margin=_MARGINS[low], is_reached=upper <= allowed, idle_hours=idle)

    def _backtest(self, shape: LayoutShape, margin: float, end: int) -> tuple[float, float]:
        """The upper bound of the miss rate, and the idle hours, over all cuts before `end`."""
        days: dict[int, list[DayResult]] = defaultdict(list)
        for cut in list_origins(self.days):
            if cut < end:
                replayed = self.replay(self.plan(shape, cut).scale(margin), cut, end)
                for number, day in enumerate(replayed, cut):
                    days[number].append(day)
        return find_upper_miss_rate(list(days.values())), sum(day.idle_hours for seen in days.values() for day in seen)


def find_upper_miss_rate(days: Sequence[Sequence[DayResult]]) -> float:
    """The upper bound of the miss rate with 95 % confidence. Each day may have been replayed several times."""
    means = [
        (sum(day.misses for day in seen) / len(seen), sum(day.claims for day in seen) / len(seen)) for seen in days
    ]
    ratio, error = estimate_ratio(means)
    return ratio + find_t_quantile(max(1, len(means) - 1), _BOTH_SIDES) * error
