"""Layout fronts: for windows that are given, the counts that idle least, for any number of misses.

The search for windows looks at some levels only, and a price does not find the counts off the convex hull. So counts
are chosen here among all levels: those that no others beat in both idle hours and misses. Misses then fall where
readiness is dearest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import attrs

from prebuilds.whatif.recommendation.layouts.day_groups import DayGroup, Stretch
from prebuilds.whatif.recommendation.layouts.layout import Layout

_AROUND_BASE = 4
_AROUND_WINDOW = 8
_MOST_POINTS = 200

_Point = tuple[float, int, tuple[int, ...]]
"""Idle hours, misses, and the places of the levels: the base's, then each window's."""


@attrs.frozen(kw_only=True, eq=False)
class LayoutFront:
    """Layouts with the same windows, from the one that idles least to the one that misses least."""

    layout: Layout
    levels: Sequence[int]
    points: Sequence[_Point]

    def pick(self, allowed: float) -> Layout:
        """The layout that idles least and misses no more than this; the one that misses least if none does."""
        index = bisect_left(self.points, -allowed, key=lambda point: -point[1])
        _, _, places = self.points[min(index, len(self.points) - 1)]
        base, *others = (self.levels[place] for place in places)
        windows = [attrs.evolve(window, level=level) for window, level in zip(self.layout.windows, others, strict=True)]
        return Layout(base=base, windows=tuple(windows))


def make_front(layout: Layout, groups: Sequence[DayGroup], levels: Sequence[int]) -> LayoutFront:
    """The front of a layout's windows. The groups have sums for all of these levels."""
    stretches = [
        next(group for group in groups if group.days == window.days).make_stretch(window.first, window.length)
        for window in layout.windows
    ]
    places = [levels.index(window.level) for window in layout.windows]
    points: list[_Point] = []
    for base in _list_around(levels.index(layout.base), _AROUND_BASE, levels):
        points += _list_points(base, list(zip(stretches, places, strict=True)), groups, levels)
    return LayoutFront(layout=layout, levels=levels, points=_keep_best(points))


def _list_around(place: int, reach: int, levels: Sequence[int]) -> range:
    return range(max(0, place - reach), min(len(levels), place + reach + 1))


def _list_points(
    base: int, windows: Iterable[tuple[Stretch, int]], groups: Sequence[DayGroup], levels: Sequence[int]
) -> list[_Point]:
    """The best points with one base. Windows never overlap, so what each adds does not depend on the others."""
    idle = sum(group.hours for group in groups) * levels[base]
    points: list[_Point] = [(idle, sum(group.count_missed(base) for group in groups), (base,))]
    for stretch, near in windows:
        choices = [
            ((levels[place] - levels[base]) * stretch.hours, stretch.count_missed(base, place), place)
            for place in _list_around(near, _AROUND_WINDOW, levels)
        ]
        points = _thin(
            _keep_best(
                (idle + more, missed + change, (*chosen, place))
                for idle, missed, chosen in points
                for more, change, place in choices
            )
        )
    return points


def _keep_best(points: Iterable[_Point]) -> list[_Point]:
    """The points that no other beats, in the order of their idle hours."""
    kept: list[_Point] = []
    for point in sorted(points):
        if not kept or point[1] < kept[-1][1]:
            kept.append(point)
    return kept


def _thin(points: list[_Point]) -> list[_Point]:
    step = max(1.0, (len(points) - 1) / (_MOST_POINTS - 1))
    return [points[round(index * step)] for index in range(min(len(points), _MOST_POINTS))]
