"""The weekly profile of a history: what each hour of the week claimed, and what each pool size missed of it.

Hours are those of the local clock. An hour that was never watched has no need, which is not a need of zero.
"""

from __future__ import annotations

from statistics import fmean

import attrs

_DAYS = range(7)


@attrs.frozen(kw_only=True, eq=False)
class WeeklyProfile:
    """For each hour of the week how long it was watched, its claims, and for each level those that were missed."""

    levels: tuple[int, ...]
    """Sizes in order. The last misses nothing."""
    hours: tuple[float, ...]
    claims: tuple[int, ...]
    missed: tuple[tuple[int, ...], ...]

    @property
    def total(self) -> int:
        return sum(self.claims)

    def is_watched(self, hour: int) -> bool:
        return self.hours[hour] > 0

    def find_need(self, hour: int, hit_rate: float) -> int | None:
        """The smallest level at which this share of the hour's claims are hits; None if the hour was never watched."""
        allowed = (1 - hit_rate) * self.claims[hour]
        rows = zip(self.levels, self.missed, strict=True)
        return next(level for level, missed in rows if missed[hour] <= allowed) if self.is_watched(hour) else None

    def is_day_watched(self, day: int) -> bool:
        return all(map(self.is_watched, range(24 * day, 24 * day + 24)))

    def find_rate(self, day: int) -> float:
        """The claims per hour on a day of the week that was watched."""
        hours = slice(24 * day, 24 * day + 24)
        return sum(self.claims[hours]) / sum(self.hours[hours])


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


def _vary(rates: list[float]) -> float:
    mean = fmean(rates)
    return sum((rate - mean) ** 2 for rate in rates)
