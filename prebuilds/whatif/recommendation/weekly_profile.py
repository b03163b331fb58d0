"""The weekly profile of a demand: how many prebuilds each hour of the week needed.

- For each claim, the profile counts the builds under way when it came: the claim is a hit at every larger size.
  With `cold_start`, where a miss orders nothing, this is a little more than was needed, and never less.
- Hours are those of the local clock. An hour that was never watched has no need, which is not a need of zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

import attrs

from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.traces.local_time import HOURS_PER_WEEK, LocalHours
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR

_QUARTERS = 4
_DAYS = range(7)


@attrs.frozen(kw_only=True, eq=False)
class WeeklyProfile:
    """For each hour of the week: how long it was watched, and how many claims met how many builds under way."""

    hours: tuple[float, ...]
    met: tuple[Counter[int], ...]

    @property
    def claims(self) -> int:
        return sum(sum(met.values()) for met in self.met)

    def is_watched(self, hour: int) -> bool:
        return self.hours[hour] > 0

    def find_need(self, hour: int, hit_rate: float) -> int | None:
        """The smallest size at which this share of the hour's claims are hits; None if the hour was never watched."""
        return find_level(self.met[hour], hit_rate) if self.is_watched(hour) else None

    def is_day_watched(self, day: int) -> bool:
        return all(map(self.is_watched, range(24 * day, 24 * day + 24)))

    def pool(self, hours: Sequence[int]) -> Counter[int]:
        """The claims of several hours of the week together, by the number of builds they met."""
        total: Counter[int] = Counter()
        for hour in hours:
            total.update(self.met[hour])
        return total

    def find_rate(self, day: int) -> float:
        """The claims per hour on a day of the week that was watched."""
        hours = range(24 * day, 24 * day + 24)
        return sum(self.pool(hours).values()) / sum(self.hours[hour] for hour in hours)


def profile_week(demand: Demand, local: LocalHours) -> WeeklyProfile:
    """The profile of a demand, by the hours of a time zone."""
    quarters = Counter(map(local.find_hour, range(demand.begin, demand.end, TICKS_PER_HOUR // _QUARTERS)))
    met: tuple[Counter[int], ...] = tuple(Counter() for _ in range(HOURS_PER_WEEK))
    for at, count in zip(demand.claims, demand.under_way, strict=True):
        met[local.find_hour(at)][count] += 1
    return WeeklyProfile(hours=tuple(quarters[hour] / _QUARTERS for hour in range(HOURS_PER_WEEK)), met=met)


def find_level(met: Counter[int], hit_rate: float) -> int:
    """The smallest size at which at least this share of claims is a hit; 0 if there were no claims."""
    level, missed = 0, sum(met.values())
    allowed = missed * (1 - hit_rate)
    for count in sorted(met):
        if missed <= allowed:
            break
        missed -= met[count]
        level = count + 1
    return level


def group_days(profile: WeeklyProfile) -> tuple[tuple[int, ...], ...]:
    """The busy and the quiet days of the week (Monday is 0). A day that was never watched counts as busy.

    Days are parted by their claims per hour, where the sum of squares within both groups is smallest.
    """
    rates = {day: profile.find_rate(day) for day in _DAYS if profile.is_day_watched(day)}
    order = sorted(rates, key=rates.__getitem__)
    ranked = [rates[day] for day in order]
    cut = min(range(1, len(order)), key=lambda cut: _vary(ranked[:cut]) + _vary(ranked[cut:]), default=0)
    quiet = set(order[:cut])
    return tuple(day for day in _DAYS if day not in quiet), tuple(sorted(quiet))


def _vary(rates: Sequence[float]) -> float:
    mean = fmean(rates)
    return sum((rate - mean) ** 2 for rate in rates)
