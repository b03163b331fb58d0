"""The search for windows: those that idle least among those that miss few enough of the past claims.

An idle hour costs 1 and a miss costs a *price*. For a given price, dynamic programming over the hours of the day finds
the best windows. The price is the lowest at which few enough claims are missed. The search looks at some levels only;
`layout_front` then chooses among all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, product
from math import log2

from prebuilds.whatif.recommendation.layouts.day_groups import HOURS, DayGroup, Stretch, make_group
from prebuilds.whatif.recommendation.layouts.layout import HourWindow, Layout
from prebuilds.whatif.recommendation.layouts.weekly_profile import WeeklyProfile

_MOST_LEVELS = 12
_CUTS = HOURS[::8]  # hours at which a day may begin; hardly any layout has a window across all of them
_LENGTHS = HOURS[1:17]  # a longer window is another base with a shorter one; all day long is one too
_STEPS = 5  # of the bisection over prices
_REACH = 5.0  # powers of 2 around the price at which the best single count is enough
_FEE = 0.01  # what a window must save, as a share of the cost of the best single count

_Gain = tuple[Stretch, float]
"""A stretch, and what the best window over it saves."""
_Option = tuple[float, tuple[_Gain, ...]]
"""What some windows save together, and their stretches."""


def plan_layout(
    profile: WeeklyProfile, groups: Sequence[Sequence[int]], *, hit_rate: float, windows: int, lead_hours: int
) -> Layout:
    """The layout with at most `windows` windows that idles least and nearly reaches the hit rate in the past."""
    places = _choose_places(profile, hit_rate)
    made = [make_group(profile, days, places, lead_hours) for days in groups if days]
    search = _Search(made, [profile.levels[place] for place in places], windows)
    allowed = (1 - hit_rate) * profile.total
    middle = log2(search.find_price(places.index(_find_place(profile, range(168), hit_rate))))
    low, high = middle - _REACH, middle + _REACH
    best = search.plan(2**high)[0]
    for _ in range(_STEPS):
        middle = (low + high) / 2
        layout, missed = search.plan(2**middle)
        if missed <= allowed:
            best, high = layout, middle
        else:
            low = middle
    return best


def _choose_places(profile: WeeklyProfile, hit_rate: float) -> list[int]:
    """The places of the levels to look at: what each hour of the day needed, for several hit rates."""
    pools = [*(range(hour, 168, 24) for hour in HOURS), range(168)]
    shares = (0.9, hit_rate, 1 - (1 - hit_rate) / 4)
    needs = {_find_place(profile, pool, share) for pool, share in product(pools, shares)}
    places = sorted(needs | {0, len(profile.levels) - 1})
    step = max(1.0, (len(places) - 1) / (_MOST_LEVELS - 1))
    chosen = {places[round(index * step)] for index in range(min(len(places), _MOST_LEVELS))}
    return sorted(chosen | {_find_place(profile, range(168), hit_rate)})


def _find_place(profile: WeeklyProfile, hours: Iterable[int], hit_rate: float) -> int:
    """The place of the smallest level at which this share of the claims of some hours are hits."""
    chosen = list(hours)
    allowed = (1 - hit_rate) * sum(profile.claims[hour] for hour in chosen)
    return next(place for place, row in enumerate(profile.missed) if sum(row[hour] for hour in chosen) <= allowed)


class _Search:
    """The best windows at any price of a miss."""

    def __init__(self, groups: Sequence[DayGroup], levels: Sequence[int], most: int) -> None:
        self._groups, self._levels, self._most = groups, levels, most
        self._stretches = [
            [group.make_stretch(first, length) for first in HOURS for length in _LENGTHS]
            + [group.make_stretch(0, len(HOURS))]
            for group in groups
        ]
        self._base = 0

    def find_price(self, place: int) -> float:
        """About what a miss costs where this level is the best single count: the idle hours that save one more."""
        lower = max(0, place - 1)
        hours = sum(group.hours for group in self._groups) * (self._levels[place] - self._levels[lower])
        saved = sum(group.count_missed(lower) - group.count_missed(place) for group in self._groups)
        return max(hours, 1.0) / max(saved, 1)

    def plan(self, price: float) -> tuple[Layout, int]:
        """The layout that costs least at this price, and how many past claims it would have missed.

        The base is sought near that of the last plan, as it changes little with the price.
        """
        costs = [
            sum(level * group.hours + price * group.count_missed(place) for group in self._groups)
            for place, level in enumerate(self._levels)
        ]
        fee = _FEE * min(costs)
        priced = [_PricedStretches(stretches, price, self._levels, fee) for stretches in self._stretches]
        found: dict[int, _Option] = {}

        def calculate_cost(base: int) -> float:
            if base not in found:
                found[base] = _combine([_place(stretches.list_gains(base), self._most) for stretches in priced])
            return costs[base] - found[base][0]

        start = min((self._base, costs.index(min(costs))), key=calculate_cost)
        self._base = base = _descend(calculate_cost, start, len(costs))
        windows = self._make_windows(priced, base, found[base][1])
        return Layout(base=self._levels[base], windows=tuple(windows)), self._count_missed(base, windows)

    def _make_windows(self, priced: Sequence[_PricedStretches], base: int, chosen: Sequence[_Gain]) -> list[HourWindow]:
        """The windows of the chosen stretches, whose group is told by the stretches that they are of."""
        windows = []
        for stretch, _ in chosen:
            index = next(index for index, stretches in enumerate(self._stretches) if stretch in stretches)
            level = priced[index].find_level(stretch, base)
            days = self._groups[index].days
            windows.append(HourWindow(days=days, first=stretch.first, length=stretch.length, level=level))
        return windows

    def _count_missed(self, base: int, windows: Iterable[HourWindow]) -> int:
        """How many past claims are missed, including those missed because counts change late."""
        total = sum(group.count_missed(base) for group in self._groups)
        for window in windows:
            group = next(group for group in self._groups if group.days == window.days)
            stretch = group.make_stretch(window.first, window.length)
            total += stretch.count_missed(base, self._levels.index(window.level))
        return total


def _descend(calculate_cost: Callable[[int], float], start: int, end: int) -> int:
    """The place of the least cost near a start: downhill, step by step."""
    place = start
    for step in (-1, 1):
        while 0 <= place + step < end and calculate_cost(place + step) < calculate_cost(place):
            place += step
    return place


class _PricedStretches:
    """What a window over each stretch costs at each level, and saves at its best one."""

    def __init__(self, stretches: Sequence[Stretch], price: float, levels: Sequence[int], fee: float) -> None:
        self._stretches, self._levels, self._price, self._fee = stretches, levels, price, fee
        self._rows = [self._price_stretch(stretch) for stretch in stretches]

    def _price_stretch(self, stretch: Stretch) -> tuple[list[float], ...]:
        """The costs of windows above and below the base, and the least from each level up, and up to each level."""
        hours, price = stretch.hours, self._price
        raised = [level * hours + price * missed for level, missed in zip(self._levels, stretch.raised, strict=True)]
        lowered = [level * hours + price * missed for level, missed in zip(self._levels, stretch.lowered, strict=True)]
        above = list(accumulate(reversed(raised), min))[::-1]
        return raised, lowered, above, list(accumulate(lowered, min))

    def list_gains(self, base: int) -> list[_Gain]:
        """For each stretch, what the best window over it saves, if it is more than the fee."""
        last, fee, gains = len(self._levels) - 1, self._fee, list[_Gain]()
        for stretch, (raised, lowered, above, below) in zip(self._stretches, self._rows, strict=True):
            up = raised[base] - above[base + 1] if base < last else 0.0
            down = lowered[base] - below[base - 1] if base else 0.0
            saved = max(up, down) - fee
            if saved > 0:
                gains.append((stretch, saved))
        return gains

    def find_level(self, stretch: Stretch, base: int) -> int:
        """The level of the best window over a stretch."""
        raised, lowered, _, _ = self._price_stretch(stretch)
        changes = [raised[base] - cost for cost in raised]
        changes[:base] = [lowered[base] - cost for cost in lowered[:base]]
        changes[base] = 0.0
        return self._levels[changes.index(max(changes))]


def _place(gains: Sequence[_Gain], most: int) -> list[_Option]:
    """For each number of windows up to `most`, those that save most, whichever hour the day begins at."""
    if not gains:
        return [(0.0, ())] * (most + 1)
    ways = [_place_in_day(gains, cut, most) for cut in _CUTS]
    return [_pick(way[count] for way in ways) for count in range(most + 1)]


def _place_in_day(gains: Sequence[_Gain], cut: int, most: int) -> list[_Option]:
    """The same for a day that begins at the hour `cut`."""
    ending: list[list[tuple[int, _Gain]]] = [[] for _ in range(25)]
    for gain in gains:
        start = (gain[0].first - cut) % 24
        if start + gain[0].length <= 24:
            ending[start + gain[0].length].append((start, gain))
    best: list[list[_Option]] = [[(0.0, ())] * (most + 1)]
    for candidates in ending[1:]:
        row = list(best[-1])
        for start, gain in candidates:
            before = best[start]
            for count in range(1, most + 1):
                total = before[count - 1][0] + gain[1]
                if total > row[count][0]:
                    row[count] = (total, (*before[count - 1][1], gain))
        best.append(row)
    return best[-1]


def _combine(options: Sequence[list[_Option]]) -> _Option:
    """The windows that save most, when groups of days share the number of windows."""
    best = options[0]
    for other in options[1:]:
        best = [_pick(_join(best[n], other[total - n]) for n in range(total + 1)) for total in range(len(best))]
    return best[-1]


def _join(one: _Option, other: _Option) -> _Option:
    return one[0] + other[0], one[1] + other[1]


def _pick(options: Iterable[_Option]) -> _Option:
    return max(options, key=lambda option: option[0])
