"""Backtests: layouts planned on the first days of a history, replayed on the days after them.

- A history is counted in days of 24 hours from its begin. Days before a cut are planned on, days from it on replayed.
- Layouts come in *shapes*: no windows; windows on all days alike; windows for the busy and for the quiet days of the
  week. Counts are raised by the smallest margin with which the upper bound of the misses keeps the goal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

import attrs

from prebuilds.whatif.recommendation.folds import Day, estimate_ratio, list_origins, replay_days
from prebuilds.whatif.recommendation.layout_search import Layout, plan_layout
from prebuilds.whatif.recommendation.weekly_need import Past, group_days, look_back
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
_BOTH_SIDES = 0.9  # an interval that is exceeded in 5 % of cases, and undercut in as many
_WORTH = 0.03  # the share of idle hours that a more complicated shape must save
_LONGEST_LEAD = 0.95  # of lead times, the share that windows wait for


@attrs.frozen(kw_only=True)
class Shape:
    """How a layout may be cut: at most so many windows, with the days of the week alike or as busy and quiet ones."""

    windows: int
    tells_days_apart: bool = False


@attrs.frozen(kw_only=True)
class Choice:
    """A shape, the margin that it needs for the goal, whether backtests reached that, and the hours they idled."""

    shape: Shape
    margin: float
    is_reached: bool
    idle_hours: float


@attrs.frozen(kw_only=True, eq=False)
class History:
    """The demand of the past, and what is asked of the future."""

    demand: Demand
    local: LocalHours
    timezone: str
    hit_rate: float
    windows: int
    on_miss: OnMiss
    _pasts: dict[int, Past] = attrs.field(factory=dict, init=False)
    _layouts: dict[tuple[Shape, int], Layout] = attrs.field(factory=dict, init=False)

    @property
    def days(self) -> int:
        """The days that there are; one that lacks less than an hour counts, as traces begin with their first claim."""
        return (self.demand.trace.span + _ALMOST) // DAY

    @property
    def lead_hours(self) -> int:
        """How many whole hours early a window opens, so that what it adds is ready."""
        demand = self.demand
        return ceil((count_ticks(demand.lead_time.quantile(_LONGEST_LEAD)) + demand.wake_ticks) / TICKS_PER_HOUR)

    def find_instant(self, day: int) -> datetime:
        """The begin of a day; the day after the last whole one ends with the trace."""
        trace = self.demand.trace
        return trace.end if day >= self.days else trace.begin + day * DAY

    def cut(self, begin: int, end: int) -> Demand:
        """The demand from the begin of one day to that of another."""
        trace = self.demand.trace
        if end < self.days:
            trace = trace.split_at(self.find_instant(end))[0]
        return attrs.evolve(self.demand, trace=trace.split_at(self.find_instant(begin))[1])

    def look_back(self, day: int) -> Past:
        """All before a day."""
        if day not in self._pasts:
            self._pasts[day] = look_back(self.cut(0, day), self.local)
        return self._pasts[day]

    def plan(self, shape: Shape, day: int) -> Layout:
        """The layout of this shape that is planned on all before a day."""
        if (shape, day) not in self._layouts:
            past = self.look_back(day)
            self._layouts[shape, day] = plan_layout(
                past,
                group_days(past) if shape.tells_days_apart else _EVERY_DAY,
                hit_rate=self.hit_rate,
                windows=shape.windows,
                lead_hours=self.lead_hours,
            )
        return self._layouts[shape, day]

    def replay(self, layout: Layout, begin: int, end: int) -> list[Day]:
        """What a layout had from the begin of one day to that of another."""
        return replay_days(self.cut(begin, end), layout.to_preset(self.timezone), self.on_miss)

    def choose(self, end: int) -> Choice:
        """The shape that idles least with the margin that it needs, judged on the days before `end` alone."""
        choices = [self._judge(shape, end) for shape in self._list_shapes(end)]
        best = choices[0]
        for choice in choices[1:]:
            if choice.is_reached and (not best.is_reached or choice.idle_hours < best.idle_hours * (1 - _WORTH)):
                best = choice
        return best

    def _list_shapes(self, end: int) -> list[Shape]:
        """From the plain one to the most complicated that the days before `end` allow."""
        shapes = [Shape(windows=0)]
        if self.windows:
            shapes.append(Shape(windows=self.windows))
        if self.windows and end >= DAYS_TO_TELL_DAYS_APART:
            shapes.append(Shape(windows=self.windows, tells_days_apart=True))
        return shapes

    def _judge(self, shape: Shape, end: int) -> Choice:
        """The smallest margin that is enough, by halving, as more is never less."""
        allowed = 1 - self.hit_rate
        low, high = 0, len(_MARGINS) - 1
        while low < high:
            middle = (low + high) // 2
            if self._backtest(shape, _MARGINS[middle], end)[0] <= allowed:
                high = middle
            else:
                low = middle + 1
        upper, idle = self._backtest(shape, _MARGINS[low], end)
        return Choice(shape=shape, margin=_MARGINS[low], is_reached=upper <= allowed, idle_hours=idle)

    def _backtest(self, shape: Shape, margin: float, end: int) -> tuple[float, float]:
        """The upper bound of the misses, as a share of claims, and the idle hours, over all cuts before `end`."""
        days: dict[int, list[Day]] = defaultdict(list)
        for cut in list_origins(self.days):
            if cut < end:
                replayed = self.replay(self.plan(shape, cut).scale(margin), cut, end)
                for number, day in enumerate(replayed, cut):
                    days[number].append(day)
        return find_upper_miss_rate(list(days.values())), sum(day.idle_hours for seen in days.values() for day in seen)


def find_upper_miss_rate(days: Sequence[Sequence[Day]]) -> float:
    """The share of claims that is missed at most, with 95 % confidence, by what each day had, once or several times."""
    means = [
        (sum(day.misses for day in seen) / len(seen), sum(day.claims for day in seen) / len(seen)) for seen in days
    ]
    ratio, error = estimate_ratio(means)
    return ratio + find_t_quantile(max(1, len(means) - 1), _BOTH_SIDES) * error
