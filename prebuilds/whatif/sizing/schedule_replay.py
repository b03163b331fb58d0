"""Replay: the exact results of a pool whose target changes with time, as it does with schedules.

If the target never changes, the results equal those of `sweep`, to the hit and the tick.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime

import attrs

from prebuilds.decision.models import Preset
from prebuilds.decision.targets import calculate_target, find_next_target_change
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.replayed_pool import ReplayedPool
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import to_ticks

TargetSteps = Sequence[tuple[int, int]]
"""Ticks in order, each with the target from then on. The first tick is the start of the trace."""


@attrs.frozen(kw_only=True)
class ReplayResult:
    """The results of a pool. `hits` has 1 for a hit and 0 for a miss, `idle` the idle ticks up to each step.

    `created` counts the builds that began.
    """

    hits: bytes
    idle: tuple[int, ...]
    waited: int
    created: int


def list_steps(preset: Preset, begin: datetime, end: datetime) -> list[tuple[int, int]]:
    """The preset's targets from `begin` to `end`, by the rules that decide in production (R3, R12)."""
    steps = [(to_ticks(begin), calculate_target(preset, now=begin).desired)]
    now = find_next_target_change(preset, begin)
    while now is not None and now < end:
        steps.append((to_ticks(now), calculate_target(preset, now=now).desired))
        now = find_next_target_change(preset, now)
    return steps


def replay(demand: Demand, steps: TargetSteps, on_miss: OnMiss) -> ReplayResult:
    """Replay a demand on a pool that is kept at the target of each step."""
    target = steps[0][1]
    pool = ReplayedPool(demand, target, target, on_miss)
    cuts = [*(bisect_left(demand.claims, at) for at, _ in steps[1:]), len(demand.claims)]
    idle = []
    for (at, target), begin, end in zip(steps, [0, *cuts], cuts, strict=False):
        pool.approach(at)
        pool.set_bounds(target, target)
        idle.append(pool.advance(at))
        pool.fill()
        for index in range(begin, end):
            pool.claim(index)
            pool.replace(index)
    idle.append(pool.advance(demand.end))
    return ReplayResult(hits=bytes(pool.hits), idle=tuple(idle), waited=pool.finish(), created=pool.created)
