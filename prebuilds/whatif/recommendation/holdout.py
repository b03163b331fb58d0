"""Reports on days that were held out: nothing about them was known when the counts were chosen.

An interval is a 95 % interval over days. There is none for a single day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from prebuilds.decision.fields import COUNT, INSTANT, check, instance_of, optional
from prebuilds.decision.wording import describe_instant
from prebuilds.whatif.recommendation.folds import ReplayedDays, estimate_ratio
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.pool_size import PoolSize
from prebuilds.whatif.sizing.sweeping import SizeFinder
from prebuilds.whatif.traces.number_checks import is_number
from prebuilds.whatif.views.intervals import Interval, find_t_quantile

AMOUNT = check("a number of 0 or more", lambda value: is_number(value) and value >= 0)
_ROUNDING = 1e-9
RATE = check("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)


@attrs.frozen(kw_only=True)
class HoldoutReport:
    """How recommended counts did on days that were held out, `begin` to `end`, beside single sizes on the same days.

    `single` is the smallest size with the hit rate that was asked for. `equal_idle_hours` is for how long single sizes
    with just as many hits as the recommended counts would have idled, interpolated between two sizes. Both can only be
    known afterwards, so they are hard to beat.
    """

    begin: datetime = attrs.field(validator=INSTANT)
    end: datetime = attrs.field(validator=INSTANT)
    claims: int = attrs.field(validator=COUNT)
    goal: float = attrs.field(validator=RATE)
    """The hit rate that was asked for."""
    hit_rate: float = attrs.field(validator=RATE)
    hit_rate_interval: Interval | None = attrs.field(validator=optional(instance_of(Interval)))
    idle_hours: float = attrs.field(validator=AMOUNT)
    idle_hours_interval: Interval | None = attrs.field(validator=optional(instance_of(Interval)))
    builds_per_claim: float = attrs.field(validator=AMOUNT)
    """How many builds began for each claim: more than one where prebuilds were deleted unclaimed."""
    single: PoolSize = attrs.field(validator=instance_of(PoolSize))
    equal_idle_hours: float = attrs.field(validator=AMOUNT)

    @property
    def is_reached(self) -> bool:
        """Whether the hit rate that was asked for was reached."""
        return self.hit_rate >= self.goal

    @property
    def idle_hours_saved(self) -> float:
        """The idle hours of the best single size minus those of the counts; negative if these idled more."""
        return self.single.idle_hours - self.idle_hours

    @property
    def saved_at_equal_hits(self) -> float:
        """The share of idle hours saved against single sizes with just as many hits; negative if there were more."""
        saved = 1 - self.idle_hours / self.equal_idle_hours if self.equal_idle_hours else 0.0
        return saved if abs(saved) > _ROUNDING else 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """The report in two sentences; in one if there were no claims."""
        single, saved = self.single, self.saved_at_equal_hits
        span = f"Held out from {describe_instant(self.begin)} to {describe_instant(self.end)}"
        idle = f"{self.idle_hours:,.1f} idle hours{_describe(self.idle_hours_interval, ',.1f')}"
        if not self.claims:
            return (f"{span}: no claims, {idle}.",)
        return (
            f"{span}: {self.hit_rate:.2%} of {self.claims:,} claims were hits"
            f"{_describe(self.hit_rate_interval, '.2%')}, {idle}.",
            f"The best single size for {self.goal:.4g} there was {single.size}: {single.hit_rate:.2%} and "
            f"{single.idle_hours:,.1f} idle hours. At equal hits, single sizes would have idled "
            f"{self.equal_idle_hours:,.1f} hours: {abs(saved):.0%} {'saved' if saved >= 0 else 'lost'}.",
        )


def make_report(demand: Demand, replayed: ReplayedDays, goal: float, sizes: SizeFinder) -> HoldoutReport:
    """The report of these days' results on a demand, beside its single sizes."""
    days = replayed.days
    claims, misses = len(demand.claims), sum(day.misses for day in days)
    rate = (claims - misses) / claims if claims else 1.0
    return HoldoutReport(
        begin=demand.trace.begin,
        end=demand.trace.end,
        claims=claims,
        goal=goal,
        hit_rate=rate,
        hit_rate_interval=_find_interval([(day.claims - day.misses, day.claims) for day in days], 1.0, most=1.0),
        idle_hours=sum(day.idle_hours for day in days),
        idle_hours_interval=_find_interval([(day.idle_hours, 1.0) for day in days], len(days)),
        builds_per_claim=replayed.created / claims if claims else 0.0,
        single=sizes.find_smallest(goal),
        equal_idle_hours=sizes.interpolate_idle(rate),
    )


def _find_interval(pairs: Sequence[tuple[float, float]], scale: float, most: float = float("inf")) -> Interval | None:
    """The interval of a ratio of sums over days, times a scale; None for fewer than two days."""
    if len(pairs) < 2:
        return None
    ratio, error = estimate_ratio(pairs)
    reach = find_t_quantile(len(pairs) - 1) * error
    return Interval(mean=ratio * scale, low=max(0.0, (ratio - reach) * scale), high=min(most, (ratio + reach) * scale))


def _describe(interval: Interval | None, form: str) -> str:
    return "" if interval is None else f" (95 % interval {interval.low:{form}} to {interval.high:{form}})"
