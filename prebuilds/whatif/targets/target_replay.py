"""Replay of a target function: what a pool that keeps to it would have had on a trace.

- The function is asked for its bounds when the trace begins, after each claim, and at each instant that `until` gives.
- At the same instant, builds become ready first, then the bounds change, then users claim.
- A function that never changes gives what `sweep` gives, to the hit and the tick.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from math import inf
from typing import Any

import attrs

from prebuilds.errors import InvalidValueError
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.replayed_pool import ReplayedPool
from prebuilds.whatif.sizing.sweeping import make_demand
from prebuilds.whatif.targets.target_function import TargetFunction
from prebuilds.whatif.traces.argument_checks import require_on_miss
from prebuilds.whatif.traces.lead_times import LeadTime
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR, TICKS_PER_SECOND, to_instant
from prebuilds.whatif.traces.trace import Trace
from prebuilds.whatif.views.rows import Tabular


@attrs.frozen(kw_only=True, repr=False)
class TargetReplay(Tabular):
    """What a pool that keeps to a target function would have had. Its rows are the changes of the target."""

    claims: int
    hits: int
    idle_hours: float
    """For how many hours prebuilds stood ready and unclaimed, summed over all of them."""
    wait_hours: float
    """For how many hours users waited, for a prebuild or for a workspace of their own, summed over all claims."""
    created: int
    """Builds that began. Prebuilds that were there at the start do not count."""
    deleted: int
    """Prebuilds that were deleted and never claimed."""
    outcomes: bytes
    """1 for a hit and 0 for a miss, for each claim."""
    steps: tuple[tuple[int, int, int], ...]
    """Each change: the instant in microseconds since 1970, what to create up to, and above what to delete."""

    @property
    def misses(self) -> int:
        return self.claims - self.hits

    @property
    def hit_rate(self) -> float:
        """The share of claims that found a prebuild ready; 1 if there were no claims."""
        return self.hits / self.claims if self.claims else 1.0

    @property
    def builds_per_claim(self) -> float:
        """How many builds began for each claim; 0 if there were no claims."""
        return self.created / self.claims if self.claims else 0.0

    @property
    def deletes_per_claim(self) -> float:
        """How many prebuilds were deleted unclaimed for each claim; 0 if there were no claims."""
        return self.deleted / self.claims if self.claims else 0.0

    def __repr__(self) -> str:
        rate = f"{self.hit_rate:.2%} of {self.claims:,} claims"
        return f"<TargetReplay: {rate} hit, {self.idle_hours:,.1f} idle hours, {len(self.steps):,} targets>"

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row for each change of the target."""
        return [{"from": to_instant(at), "target": low, "delete_above": high} for at, low, high in self.steps]


def replay_target(
    trace: Trace,
    lead_time: LeadTime | timedelta,
    target: TargetFunction,
    *,
    on_miss: OnMiss | str = OnMiss.COLD_START,
    wake_delay: timedelta = timedelta(),
    seed: int = 0,
) -> TargetReplay:
    """What a pool that keeps to this target function would have had on this trace.

    The pool is full when the trace begins. The function is moved on: replay a fresh one each time. To let it know
    earlier claims, note them first. The other arguments are as for `sweep`. Raises `InvalidValueError` for bounds or an
    instant that a target function may not give.
    """
    demand = make_demand("replay_target", trace, lead_time, wake_delay=wake_delay, seed=seed)
    if not isinstance(target, TargetFunction):
        raise InvalidValueError("replay_target", "target", target, "a TargetFunction, with note, bounds and until")
    return replay_function(demand, target, require_on_miss("replay_target", on_miss))


def replay_function(demand: Demand, target: TargetFunction, on_miss: OnMiss) -> TargetReplay:
    """The same for a demand that is already known."""
    return replay_in_parts(demand, target, on_miss, ())[0]


def replay_in_parts(
    demand: Demand, target: TargetFunction, on_miss: OnMiss, cuts: Iterable[int]
) -> tuple[TargetReplay, list[int]]:
    """The same, with the idle ticks up to each of these ticks, which are in order and within the span."""
    follower = _Follower(demand, target, on_miss, cuts)
    for index, at in enumerate(demand.claims):
        follower.pass_time(at)
        follower.claim(index)
    return follower.finish(), follower.idle_at_cuts


class _Follower:
    """A pool and the target function that it keeps to."""

    def __init__(self, demand: Demand, target: TargetFunction, on_miss: OnMiss, cuts: Iterable[int]) -> None:
        self._demand, self._target = demand, target
        self._cuts = [inf, *reversed([*cuts])]
        self.idle_at_cuts: list[int] = []
        self._bounds = self._ask(demand.begin)
        self._pool = ReplayedPool(demand, *self._bounds, on_miss)
        self._steps = [(demand.begin, *self._bounds)]
        self._until = self._find_change(demand.begin)

    def pass_time(self, end: int) -> None:
        """Let the target change with time alone, up to and including this tick."""
        while self._cuts[-1] <= end:
            cut = int(self._cuts.pop())
            self._move(cut)
            self.idle_at_cuts.append(self._pool.advance(cut))
        self._move(end)

    def _move(self, end: int) -> None:
        while self._until <= end:
            now = int(self._until)
            self._pool.approach(now)
            self._change(now)
            self._pool.advance(now)
            self._pool.fill()
            self._until = self._find_change(now)

    def claim(self, index: int) -> None:
        at = self._demand.claims[index]
        is_hit = self._pool.claim(index)
        self._target.note(at / TICKS_PER_SECOND, is_hit=is_hit)
        has_changed = self._change(at)
        self._pool.replace(index)
        if has_changed:
            self._pool.fill()
        self._until = self._find_change(at)

    def finish(self) -> TargetReplay:
        demand, pool = self._demand, self._pool
        self.pass_time(demand.end)
        idle = pool.advance(demand.end)
        return TargetReplay(
            claims=len(demand.claims),
            hits=sum(pool.hits),
            idle_hours=idle / TICKS_PER_HOUR,
            wait_hours=pool.finish() / TICKS_PER_HOUR,
            created=pool.created,
            deleted=pool.deleted,
            outcomes=bytes(pool.hits),
            steps=tuple(self._steps),
        )

    def _change(self, now: int) -> bool:
        """Give the pool the bounds of now. False if they are what they were."""
        bounds = self._ask(now)
        if bounds == self._bounds:
            return False
        self._bounds = bounds
        self._steps.append((now, *bounds))
        self._pool.set_bounds(*bounds)
        return True

    def _ask(self, now: int) -> tuple[int, int]:
        bounds = self._target.bounds(now / TICKS_PER_SECOND)
        if not _are_bounds(bounds):
            place = f"bounds({now / TICKS_PER_SECOND!r})"
            raise InvalidValueError("TargetFunction", place, bounds, "two counts, the second not below the first")
        return bounds

    def _find_change(self, now: int) -> float:
        """The tick at which the target is asked again, later than now."""
        until = self._target.until(now / TICKS_PER_SECOND) * TICKS_PER_SECOND
        if not until > now:  # nor for a NaN
            place = f"until({now / TICKS_PER_SECOND!r})"
            raise InvalidValueError("TargetFunction", place, until / TICKS_PER_SECOND, "a later instant, or infinity")
        return max(round(until), now + 1) if until < inf else inf


def _are_bounds(value: object) -> bool:
    """Whether it is a pair of counts, the second not below the first."""
    is_pair = isinstance(value, tuple) and len(value) == 2 and all(type(one) is int for one in value)
    return is_pair and 0 <= value[0] <= value[1]  # type: ignore[index]
