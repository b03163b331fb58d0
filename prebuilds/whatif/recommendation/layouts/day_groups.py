"""Days that get the same windows, and what a window over some of their hours would miss.

What a window adds is ready a lead time after it opens. If the window raises the count, its first `lead_hours` are worth
no more than the base. If it lowers the count, the effect lasts as long after it closes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import attrs

from prebuilds.whatif.recommendation.layouts.weekly_profile import WeeklyProfile

HOURS = range(24)


@attrs.frozen(kw_only=True, eq=False)
class Stretch:
    """A stretch of hours on some days, with the claims that each level would miss in a window over it.

    `raised` has the misses of a window above the base, and `lowered` those of a window below it. No two stretches are
    equal, as those of other days may have the same sums.
    """

    first: int
    length: int
    hours: float
    raised: tuple[int, ...]
    lowered: tuple[int, ...]

    def count_missed(self, base: int, level: int) -> int:
        """How many more claims are missed if the window has this level instead of the base; both are places."""
        missed = self.raised if level > base else self.lowered
        return missed[level] - missed[base]


@attrs.frozen(kw_only=True)
class DayGroup:
    """Days that get the same windows. Sums run over three days: a stretch may run past midnight, and last longer."""

    days: tuple[int, ...]
    lead_hours: int
    times: tuple[float, ...]
    totals: tuple[tuple[int, ...], ...]
    """For each level, the claims missed before each hour."""

    @property
    def hours(self) -> float:
        return self.times[24]

    def count_missed(self, level: int) -> int:
        """How many claims this level misses without windows; `level` is its place."""
        return self.totals[level][24]

    def make_stretch(self, first: int, length: int) -> Stretch:
        end = first + length
        ready, felt = first + min(self.lead_hours, length), min(end + self.lead_hours, first + 24)
        return Stretch(
            first=first,
            length=length,
            hours=self.times[end] - self.times[first],
            raised=tuple([row[end] - row[ready] for row in self.totals]),
            lowered=tuple([row[felt] - row[first] for row in self.totals]),
        )


def make_group(profile: WeeklyProfile, days: Sequence[int], levels: Sequence[int], lead_hours: int) -> DayGroup:
    """Sum a profile over some days of the week, for the levels at these places."""
    times = [sum(profile.hours[24 * day + hour] for day in days) for hour in HOURS]
    missed = [[sum(profile.missed[level][24 * day + hour] for day in days) for hour in HOURS] for level in levels]
    return DayGroup(
        days=tuple(days),
        lead_hours=lead_hours,
        times=(0.0, *accumulate(times * 3)),
        totals=tuple((0, *accumulate(row * 3)) for row in missed),
    )
