"""Demand: the claims of a trace, a lead time for each, and the builds under way when each comes.

All times are ticks. One lead time is drawn for each claim, in order, so every pool size meets the same demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from heapq import heappop, heappush
from random import Random

import attrs

from prebuilds.whatif.traces.lead_times import FixedLeadTime, LeadTime
from prebuilds.whatif.traces.ticks import count_ticks, to_ticks
from prebuilds.whatif.traces.trace import Trace


@attrs.frozen(kw_only=True, eq=False)
class Demand:
    """Claims, and how long the replacement of each would take. `make_demand` checks the arguments."""

    trace: Trace
    lead_time: LeadTime
    wake_ticks: int
    seed: int

    @property
    def claims(self) -> Sequence[int]:
        return self.trace.ticks

    @cached_property
    def begin(self) -> int:
        return to_ticks(self.trace.begin)

    @cached_property
    def end(self) -> int:
        return to_ticks(self.trace.end)

    @property
    def is_fixed(self) -> bool:
        return isinstance(self.lead_time, FixedLeadTime)

    @cached_property
    def leads(self) -> Sequence[int]:
        """For each claim, how long the build of its replacement takes."""
        if self.is_fixed:
            return [count_ticks(self.lead_time.mean)] * len(self.claims)
        random = Random(self.seed)  # noqa: S311
        return [count_ticks(self.lead_time.draw(random)) for _ in self.claims]

    @cached_property
    def ready_ticks(self) -> Sequence[int]:
        """For each claim, when its replacement is ready."""
        wake = self.wake_ticks
        return [at + wake + lead for at, lead in zip(self.claims, self.leads, strict=True)]

    @cached_property
    def served_next(self) -> Sequence[int]:
        """For each claim, the first claim that its replacement could serve, if no build overtakes another."""
        claims = self.claims
        found, index, count = [], 0, len(claims)
        for ready in self.ready_ticks:
            while index < count and claims[index] < ready:
                index += 1
            found.append(index)
        return found

    @cached_property
    def under_way(self) -> Sequence[int]:
        """For each claim, how many replacements of earlier claims are not ready when it comes.

        If every claim has a replacement, as with `wait`, a pool of a larger size has a prebuild ready.
        """
        return self._count_in_order() if self.is_fixed else self._count_in_any_order()

    @property
    def enough(self) -> int:
        """The smallest size that misses nothing."""
        return max(self.under_way, default=-1) + 1

    def _count_in_order(self) -> Sequence[int]:
        ready_ticks, found, ready = self.ready_ticks, [], 0
        for index, at in enumerate(self.claims):
            while ready < index and ready_ticks[ready] <= at:
                ready += 1
            found.append(index - ready)
        return found

    def _count_in_any_order(self) -> Sequence[int]:
        found: list[int] = []
        building: list[int] = []
        for at, ready in zip(self.claims, self.ready_ticks, strict=True):
            while building and building[0] <= at:
                heappop(building)
            found.append(len(building))
            heappush(building, ready)
        return found
