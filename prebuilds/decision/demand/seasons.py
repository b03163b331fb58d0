"""The season: how much is claimed in each hour of the local week.

- Each hour of the week has the claims and the hours seen so far. Both fade by half in four weeks.
- A rate is the mean of a Gamma posterior: an hour leans on the same hour of like days (work days, or weekends), that on
  the whole, and the whole on half a claim an hour. What is seen often leans little.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import attrs

from prebuilds.decision.schedules.zones import load_zone

HOUR = 3600.0
WEEK_HOURS = 168
WEEK = WEEK_HOURS * HOUR
_GROWTH = 2 ** (1 / (4 * WEEK_HOURS))  # weights grow instead of fading: only new hours are touched
_MOST_WEIGHT = 2.0**100
_MOST_WEEKS = 200  # of silence at once; by then all before it has faded to nothing
_FIRST_RATE = 0.5
_LEAN = 2.0  # hours

_WORK_DAYS = tuple(day * 24 for day in range(5))
_WEEKEND = (120, 144)


@lru_cache(maxsize=2**14)
def find_slot(hour: float, timezone: str) -> int:
    """The hour of the local week, from 0 (Monday, 00:00) to 167, at the instant at which an hour begins."""
    local = datetime.fromtimestamp(hour, load_zone(timezone))
    return local.weekday() * 24 + local.hour


@attrs.frozen
class Season:
    """Claims and hours, for each hour of the local week and in all. New ones count `weight`."""

    claims: tuple[float, ...] = attrs.field(default=(0.0,) * WEEK_HOURS, repr=False)
    hours: tuple[float, ...] = attrs.field(default=(0.0,) * WEEK_HOURS, repr=False)
    all_claims: float = 0.0
    all_hours: float = 0.0
    weight: float = 1.0

    def add_hour(self, slot: int, count: int) -> Season:
        """The season after another hour, in which `count` were claimed."""
        weight = self.weight * _GROWTH
        claims = self.claims
        if count:
            claims = _add(claims, slot, count * weight)
        hours = _add(self.hours, slot, weight)
        later = Season(claims, hours, self.all_claims + count * weight, self.all_hours + weight, weight)
        return later if weight < _MOST_WEIGHT else _shrink(later)

    def add_silent_weeks(self, weeks: int) -> Season:
        """The season after whole weeks without a claim."""
        growth = _GROWTH ** (WEEK_HOURS * min(weeks, _MOST_WEEKS))
        middle = self.weight * _GROWTH ** (WEEK_HOURS / 2)  # of the first week; its hours differ by a twelfth at most
        added = middle * (growth - 1) / (_GROWTH**WEEK_HOURS - 1)  # to each hour of the week
        hours = tuple(hour + added for hour in self.hours)
        return _shrink(
            Season(self.claims, hours, self.all_claims, self.all_hours + added * WEEK_HOURS, self.weight * growth)
        )

    def calculate_rate(self, slot: int) -> float:
        """Claims per hour, as usual for this hour of the week."""
        lean = _LEAN * self.weight
        whole = (self.all_claims + _FIRST_RATE * self.weight) / (self.all_hours + self.weight)
        claims, hours = self._sum_like_days(slot)
        like = (claims + lean * whole) / (hours + lean)
        return (self.claims[slot] + lean * like) / (self.hours[slot] + lean)

    def _sum_like_days(self, slot: int) -> tuple[float, float]:
        at = slot % 24
        days = _WORK_DAYS if slot < 120 else _WEEKEND
        return sum([self.claims[day + at] for day in days]), sum([self.hours[day + at] for day in days])


def _add(values: tuple[float, ...], slot: int, amount: float) -> tuple[float, ...]:
    return (*values[:slot], values[slot] + amount, *values[slot + 1 :])


def _shrink(season: Season) -> Season:
    """The same season with a weight of 1, so that weights never overflow."""
    by = 1 / season.weight
    claims = tuple(value * by for value in season.claims)
    hours = tuple(value * by for value in season.hours)
    return Season(claims, hours, season.all_claims * by, season.all_hours * by, 1.0)
