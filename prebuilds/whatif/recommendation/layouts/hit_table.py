"""Hit tables: how many claims each pool size would have missed in each hour of a history.

- A table is measured once, with each size constant throughout, and then answers for any layout without a replay. Where
  a count changes, it knows nothing of the builds under way; replays do.
- Days are spans of 24 hours from the start of the history. An hour is an hour of the week by the local clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import attrs

from prebuilds.whatif.recommendation.layouts.weekly_profile import WeeklyProfile
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.missed_claims import prepare_misses
from prebuilds.whatif.traces.local_time import HOURS_PER_WEEK, LocalHours
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import TICKS_PER_DAY, TICKS_PER_HOUR

_MOST_LEVELS = 40
_QUARTERS = 4


@attrs.frozen(kw_only=True)
class HourSlot:
    """One hour of one day, and for how long it was watched."""

    day: int
    hour_of_week: int
    hours: float


@attrs.frozen(kw_only=True, eq=False)
class HitTable:
    """For each slot its claims, and for each level how many of them a pool of this size would have missed."""

    levels: tuple[int, ...]
    """Sizes in order. The last misses nothing."""
    slots: tuple[HourSlot, ...]
    claims: tuple[int, ...]
    missed: tuple[tuple[int, ...], ...]

    def profile(self, begin: int, end: int) -> WeeklyProfile:
        """The weekly profile of the days from `begin` to just before `end`."""
        chosen = [index for index, slot in enumerate(self.slots) if begin <= slot.day < end]
        hours = [0.0] * HOURS_PER_WEEK
        for index in chosen:
            hours[self.slots[index].hour_of_week] += self.slots[index].hours
        return WeeklyProfile(
            levels=self.levels,
            hours=tuple(hours),
            claims=self._sum(self.claims, chosen),
            missed=tuple(self._sum(row, chosen) for row in self.missed),
        )

    def count(self, places: Sequence[int], begin: int, end: int) -> tuple[int, int]:
        """The claims of some days, and those missed if each hour of the week has the level at its place."""
        claims = missed = 0
        rows = self.missed
        for index, slot in enumerate(self.slots):
            if begin <= slot.day < end:
                claims += self.claims[index]
                missed += rows[places[slot.hour_of_week]][index]
        return claims, missed

    def _sum(self, row: Sequence[int], chosen: Iterable[int]) -> tuple[int, ...]:
        """The sum of a row for each hour of the week."""
        total = [0] * HOURS_PER_WEEK
        for index in chosen:
            total[self.slots[index].hour_of_week] += row[index]
        return tuple(total)


def make_hit_table(demand: Demand, on_miss: OnMiss, local: LocalHours, days: int) -> HitTable:
    """Measure each level on a demand. What comes after the last of the days counts as part of it."""
    quarters = Counter(_list_places(demand, range(demand.begin, demand.end, TICKS_PER_HOUR // _QUARTERS), local, days))
    places = _list_places(demand, demand.claims, local, days)
    claims = Counter(places)
    found = sorted(quarters | claims)
    levels = _choose_levels(demand.enough)
    list_missed = prepare_misses(demand, on_miss)
    counts = [Counter(map(places.__getitem__, list_missed(level))) for level in levels]
    return HitTable(
        levels=levels,
        slots=tuple(HourSlot(day=day, hour_of_week=hour, hours=quarters[day, hour] / _QUARTERS) for day, hour in found),
        claims=tuple(claims[place] for place in found),
        missed=tuple(tuple(count[place] for place in found) for count in counts),
    )


def _list_places(demand: Demand, ticks: Iterable[int], local: LocalHours, days: int) -> list[tuple[int, int]]:
    """For each tick its day and its hour of the week."""
    begin, last, find_hour = demand.begin, days - 1, local.find_hour
    return [(min((at - begin) // TICKS_PER_DAY, last), find_hour(at)) for at in ticks]


def _choose_levels(enough: int) -> tuple[int, ...]:
    """All sizes that miss something, and the first that does not; some of them, closer for small ones, if many do."""
    if enough < _MOST_LEVELS:
        return tuple(range(enough + 1))
    growth = enough ** (1 / (_MOST_LEVELS - 1))
    return tuple(sorted({0, enough, *(round(growth**step) for step in range(_MOST_LEVELS))}))
