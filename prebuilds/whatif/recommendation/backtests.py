"""Backtests: plan on the first days of a history, and see how the plan does on the days after them.

- A layout has one of two *shapes*: the same windows every day; or separate windows for busy and quiet days of the week.
- A shape may miss some share of what the goal allows on the past: the largest with which backtests reach the goal. The
  future differs from the past, and windows that fit the past too well miss more.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import attrs

from prebuilds.whatif.recommendation.folds import list_folds
from prebuilds.whatif.recommendation.history import DemandHistory
from prebuilds.whatif.recommendation.layouts.day_groups import make_group
from prebuilds.whatif.recommendation.layouts.layout import Layout
from prebuilds.whatif.recommendation.layouts.layout_front import LayoutFront, make_front
from prebuilds.whatif.recommendation.layouts.layout_search import plan_layout
from prebuilds.whatif.recommendation.layouts.weekly_profile import group_days
from prebuilds.whatif.sizing.schedule_replay import replay

DAYS_TO_TELL_DAYS_APART = 14
_EVERY_DAY = (tuple(range(7)),)
_WORTH = 0.03  # the share of idle hours that a more complex shape must save
_SHARES = (2.0, 1.6, 1.3, 1.0, 0.85, 0.7, 0.55, 0.4, 0.3, 0.2, 0.1, 0.0)
_PLAIN = _SHARES.index(1.0)
_CLUSTERING = 2.0  # the variance of misses over their mean: they come together

_CountMissed = Callable[[Layout, int, int], tuple[int, int]]
"""The claims of some days, and how many of them a layout misses."""


@attrs.frozen(kw_only=True)
class LayoutShape:
    """How a layout may look: at most `windows` windows, for all days alike or for busy and quiet days apart."""

    windows: int
    tells_days_apart: bool = False


@attrs.frozen(kw_only=True)
class ShapeChoice:
    """A shape, the place of the share of misses that it may have on the past, and whether backtests reach the goal.

    `is_safe` tells that they do so by more than chance explains.
    """

    shape: LayoutShape
    place: int
    is_reached: bool
    is_safe: bool = False

    def find_planned(self, hit_rate: float) -> float:
        """The hit rate that the layout is planned to have on the past."""
        return 1 - _SHARES[self.place] * (1 - hit_rate)


class LayoutPlanner:
    """Plans layouts on a history. It keeps what it has planned."""

    def __init__(self, history: DemandHistory) -> None:
        self._history = history
        self._fronts: dict[tuple[LayoutShape, int], LayoutFront] = {}

    def choose(self, end: int) -> ShapeChoice:
        """The shape that keeps fewest prebuilds in backtests. Only days before `end` are looked at."""
        choices = [self._calibrate(shape, end) for shape in self._list_shapes(end)]
        best, kept = choices[0], self._count_kept(choices[0], end)
        for choice in choices[1:]:
            hours = self._count_kept(choice, end)
            if choice.is_reached and (not best.is_reached or hours < kept * (1 - _WORTH)):
                best, kept = choice, hours
        return self._check(best, end)

    def plan(self, choice: ShapeChoice, day: int) -> Layout:
        """Plan a layout on everything before a day."""
        share = _SHARES[choice.place] * (1 - self._history.hit_rate)
        return self._find_front(choice.shape, day).pick(share * self._history.profile_week(day).total)

    def _list_shapes(self, end: int) -> list[LayoutShape]:
        """The shapes that the days before `end` allow, the simpler first."""
        shapes = [LayoutShape(windows=self._history.windows)]
        if end >= DAYS_TO_TELL_DAYS_APART:
            shapes.append(LayoutShape(windows=self._history.windows, tells_days_apart=True))
        return shapes

    def _find_front(self, shape: LayoutShape, day: int) -> LayoutFront:
        if (shape, day) not in self._fronts:
            history, profile = self._history, self._history.profile_week(day)
            days = [days for days in (group_days(profile) if shape.tells_days_apart else _EVERY_DAY) if days]
            lead_hours, places = history.lead_hours, range(len(profile.levels))
            layout = plan_layout(profile, days, hit_rate=history.hit_rate, windows=shape.windows, lead_hours=lead_hours)
            groups = [make_group(profile, some, places, lead_hours) for some in days]
            self._fronts[shape, day] = make_front(layout, groups, profile.levels)
        return self._fronts[shape, day]

    def _calibrate(self, shape: LayoutShape, end: int) -> ShapeChoice:
        """The largest share with which the goal is reached, by the table: not by chance alone, if there is one."""
        choices = [ShapeChoice(shape=shape, place=place, is_reached=True) for place in range(len(_SHARES))]
        for is_safe in (True, False):
            for choice in choices:
                if self._is_reached(choice, end, self._history.estimate, is_safe=is_safe):
                    return attrs.evolve(choice, is_safe=is_safe)
        return ShapeChoice(shape=shape, place=_PLAIN, is_reached=False)

    def _check(self, choice: ShapeChoice, end: int) -> ShapeChoice:
        """The same by replays: the share that the table gave, or the next one that they allow."""

        def is_reached(place: int) -> bool:
            return self._is_reached(attrs.evolve(choice, place=place), end, self._replay, is_safe=choice.is_safe)

        place = choice.place
        while place > 0 and is_reached(place - 1):
            place -= 1
        while not is_reached(place):
            if place == len(_SHARES) - 1:
                return attrs.evolve(choice, place=_PLAIN, is_reached=False)
            place += 1
        return attrs.evolve(choice, place=place, is_reached=True)

    def _is_reached(self, choice: ShapeChoice, end: int, count_missed: _CountMissed, *, is_safe: bool) -> bool:
        """Whether the goal is reached on the days after the cuts together; with `is_safe`, not by chance alone."""
        found = [count_missed(self.plan(choice, cut), cut, until) for cut, until in list_folds(end)]
        claims, missed = sum(row[0] for row in found), sum(row[1] for row in found)
        margin = sqrt(_CLUSTERING * missed) if is_safe else 0.0
        return missed + margin <= (1 - self._history.hit_rate) * claims

    def _replay(self, layout: Layout, begin: int, end: int) -> tuple[int, int]:
        demand = self._history.cut(begin, end)
        done = replay(demand, self._history.list_steps(layout, demand), self._history.on_miss)
        return len(done.hits), len(done.hits) - sum(done.hits)

    def _count_kept(self, choice: ShapeChoice, end: int) -> float:
        """How many prebuild-hours the layouts of the backtests keep in a week."""
        cuts = [cut for cut, _ in list_folds(end)]
        return float(sum(sum(self.plan(choice, cut).list_targets()) for cut in cuts))


def is_size_reached(history: DemandHistory, end: int) -> bool:
    """Whether the smallest size of the days before each cut reaches the goal on the days after it."""
    points = [history.find_sizes(cut, until).measure(history.find_smallest(cut).size) for cut, until in list_folds(end)]
    allowed = (1 - history.hit_rate) * sum(point.claims for point in points)
    return sum(point.misses for point in points) <= allowed
