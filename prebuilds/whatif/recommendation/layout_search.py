"""The search for a layout: the one that idles least among those that miss few enough of the past claims.

- An idle hour costs 1 and a miss costs a *price*. For a given price, dynamic programming over the hours of the day
  finds the best windows. The price is the lowest at which few enough claims are missed.
- What a window adds is ready a lead time after it opens. If the window raises the count, its first `lead_hours` are
  worth no more than the base. If it lowers the count, the effect lasts as long after it closes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, product

import attrs

from prebuilds.whatif.recommendation.layout import HourWindow, Layout
from prebuilds.whatif.recommendation.weekly_profile import WeeklyProfile, find_level

_HOURS = range(24)
_MOST_LEVELS = 14
_CUTS = _HOURS[::4]  # hours at which a day may begin; hardly any layout has a window across all of them
_STEPS = 9  # of the bisection over prices
_EXPONENTS = (-4.0, 14.0)  # of 2: the range of prices of a miss, in idle hours
_FEE = 0.01  # what a window must save, as a share of the cost of the best single count

_Option = tuple[float, tuple[HourWindow, ...]]
"""What some windows save together, and these windows."""
_Gain = tuple[int, int, float, int]
"""The best window over a stretch: its first hour, its length, what it saves, and its count."""


@attrs.frozen(kw_only=True)
class _Stretch:
    """A stretch of hours on some days, with the claims that each count would miss in a window over it.

    `raised` has the misses of a window above the base, and `lowered` those of a window below it.
    """

    first: int
    length: int
    hours: float
    raised: tuple[int, ...]
    lowered: tuple[int, ...]


@attrs.frozen(kw_only=True)
class _DayGroup:
    """Days that get the same windows."""

    days: tuple[int, ...]
    hours: float
    missed: tuple[int, ...]
    stretches: tuple[_Stretch, ...]


def plan_layout(
    profile: WeeklyProfile, groups: Sequence[Sequence[int]], *, hit_rate: float, windows: int, lead_hours: int
) -> Layout:
    """The layout with at most `windows` windows that idles least and nearly reaches the hit rate in the past."""
    levels = _choose_levels(profile, hit_rate)
    firsts = _HOURS if windows else ()
    made = [_make_group(profile, days, levels, lead_hours, firsts) for days in groups if days]
    allowed = (1 - hit_rate) * profile.claims
    low, high = _EXPONENTS
    best = _plan_at(2**high, made, levels, windows)[0]
    for _ in range(_STEPS):
        middle = (low + high) / 2
        layout, missed = _plan_at(2**middle, made, levels, windows)
        if missed <= allowed:
            best, high = layout, middle
        else:
            low = middle
    return best


def _choose_levels(profile: WeeklyProfile, hit_rate: float) -> list[int]:
    """The counts to consider: what each hour of the day needed, for several hit rates."""
    hours = [profile.pool(range(hour, 168, 24)) for hour in _HOURS]
    everything = profile.pool(range(168))
    shares = (0.9, hit_rate, 1 - (1 - hit_rate) / 4)
    needs = {find_level(met, share) for met, share in product(hours, shares)}
    levels = sorted(needs | {0, find_level(everything, hit_rate), find_level(everything, 1.0)})
    step = max(1.0, (len(levels) - 1) / (_MOST_LEVELS - 1))
    return [levels[round(index * step)] for index in range(min(len(levels), _MOST_LEVELS))]


def _make_group(
    profile: WeeklyProfile, days: Sequence[int], levels: Sequence[int], lead_hours: int, firsts: Iterable[int]
) -> _DayGroup:
    met = [profile.pool([24 * day + hour for day in days]) for hour in _HOURS]
    watched = [sum(profile.hours[24 * day + hour] for day in days) for hour in _HOURS]
    missed = [[sum(n for count, n in hour.items() if count >= level) for hour in met] for level in levels]
    # Sums cover three days: a stretch may run past midnight, and its effect lasts longer.
    time = [0.0, *accumulate(watched * 3)]
    totals = [[0, *accumulate(row * 3)] for row in missed]

    def make(first: int, length: int) -> _Stretch:
        end = first + length
        ready, felt = first + min(lead_hours, length), min(end + lead_hours, first + 24)
        return _Stretch(
            first=first,
            length=length,
            hours=time[end] - time[first],
            raised=tuple(row[end] - row[ready] for row in totals),
            lowered=tuple(row[felt] - row[first] for row in totals),
        )

    stretches = tuple(make(first, length) for first in firsts for length in range(1, 25))
    return _DayGroup(days=tuple(days), hours=time[24], missed=tuple(row[24] for row in totals), stretches=stretches)


def _plan_at(price: float, groups: Sequence[_DayGroup], levels: Sequence[int], most: int) -> tuple[Layout, int]:
    """The layout that costs least at this price of a miss, and how many claims it misses."""
    bases = [
        sum(level * group.hours + price * group.missed[index] for group in groups) for index, level in enumerate(levels)
    ]
    fee = _FEE * min(bases)
    gains = [_find_gains(group, price, levels, fee) for group in groups]
    options = []
    for base, cost in enumerate(bases):
        placed = [_place(group, gain[base], most) for group, gain in zip(groups, gains, strict=True)]
        saved, windows = _combine(placed)
        options.append((cost - saved, levels[base], windows))
    _, level, windows = min(options, key=lambda option: option[0])
    layout = Layout(base=level, windows=windows)
    return layout, _count_missed(layout, groups, levels)


def _find_gains(group: _DayGroup, price: float, levels: Sequence[int], fee: float) -> list[list[_Gain]]:
    """For each base, the best window over each stretch, if it saves more than the fee."""
    gains: list[list[_Gain]] = [[] for _ in levels]
    for stretch in group.stretches:
        idle = [level * stretch.hours for level in levels]
        raised = [cost + price * missed for cost, missed in zip(idle, stretch.raised, strict=True)]
        lowered = [cost + price * missed for cost, missed in zip(idle, stretch.lowered, strict=True)]
        above = list(accumulate(zip(reversed(raised), reversed(levels), strict=True), min))[-2::-1]
        below = list(accumulate(zip(lowered, levels, strict=True), min))
        for base, found in enumerate(gains):
            options = [(raised[base] - cost - fee, level) for cost, level in above[base : base + 1]]
            options += [(lowered[base] - cost - fee, level) for cost, level in below[base - 1 : base]]
            saved, level = max(options, default=(0.0, 0))
            if saved > 0:
                found.append((stretch.first, stretch.length, saved, level))
    return gains


def _place(group: _DayGroup, gains: Sequence[_Gain], most: int) -> list[_Option]:
    """For each number of windows up to `most`, those that save most, whichever hour the day begins at."""
    days = [_place_in_day(group.days, gains, cut, most) for cut in _CUTS]
    return [_pick(day[count] for day in days) for count in range(most + 1)]


def _place_in_day(days: tuple[int, ...], gains: Sequence[_Gain], cut: int, most: int) -> list[_Option]:
    """The same for a day that begins at the hour `cut`."""
    ending: list[list[tuple[int, _Gain]]] = [[] for _ in range(25)]
    for gain in gains:
        start = (gain[0] - cut) % 24
        if start + gain[1] <= 24:
            ending[start + gain[1]].append((start, gain))
    best: list[list[_Option]] = [[(0.0, ())] * (most + 1)]
    for candidates in ending[1:]:
        row = list(best[-1])
        for start, (first, length, saved, level) in candidates:
            before = best[start]
            for count in range(1, most + 1):
                total = before[count - 1][0] + saved
                if total > row[count][0]:
                    window = HourWindow(days=days, first=first, length=length, level=level)
                    row[count] = (total, (*before[count - 1][1], window))
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


def _count_missed(layout: Layout, groups: Sequence[_DayGroup], levels: Sequence[int]) -> int:
    """How many past claims a layout would have missed, including those missed because counts change late."""
    base = levels.index(layout.base)
    total = sum(group.missed[base] for group in groups)
    for window in layout.windows:
        group = next(group for group in groups if group.days == window.days)
        stretch = group.stretches[24 * window.first + window.length - 1]
        missed = stretch.raised if window.level > layout.base else stretch.lowered
        total += missed[levels.index(window.level)] - missed[base]
    return total
