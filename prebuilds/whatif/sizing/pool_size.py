"""What one pool size would have had: the point of a curve."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import attrs

from prebuilds.decision.fields import COUNT, check
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.traces.number_checks import is_number
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR

_AMOUNT = check("a number of 0 or more", lambda value: is_number(value) and value >= 0)


@attrs.frozen(kw_only=True)
class PoolSize:
    """What one pool size would have had. Numbers from a formula are expectations, and need not be whole."""

    size: int = attrs.field(validator=COUNT)
    claims: float = attrs.field(validator=_AMOUNT)
    hits: float = attrs.field(validator=_AMOUNT)
    idle_hours: float = attrs.field(validator=_AMOUNT)
    """For how many hours prebuilds stood ready and unclaimed, summed over all of them."""
    wait_hours: float = attrs.field(validator=_AMOUNT)
    """For how many hours users waited, for a prebuild or for a workspace of their own, summed over all claims."""

    @property
    def misses(self) -> float:
        return self.claims - self.hits

    @property
    def hit_rate(self) -> float:
        """The share of claims that found a prebuild ready; 1 if there were no claims."""
        return self.hits / self.claims if self.claims else 1.0

    @property
    def mean_wait(self) -> timedelta:
        """The average wait of a claim, including hits."""
        return timedelta(hours=self.wait_hours / self.claims) if self.claims else timedelta()


MeasureSize = Callable[[int], PoolSize]
"""Measures one size on a demand that is already known."""


def make_point(demand: Demand, size: int, hits: int, idle: int, waited: int) -> PoolSize:
    """The point for a size, from its hits and the ticks that prebuilds were idle and users waited."""
    return PoolSize(
        size=size,
        claims=len(demand.claims),
        hits=hits,
        idle_hours=idle / TICKS_PER_HOUR,
        wait_hours=waited / TICKS_PER_HOUR,
    )
