"""Replay: the exact results of a pool whose target changes with time, as it does with schedules.

- The pool is full when the trace begins. Ready prebuilds and builds that no user waits for are kept at the target.
  Missing ones are begun `wake_delay` later. Ready ones beyond the target are deleted at once (R9).
- At the same instant, builds become ready first, then the target changes, then users claim.
- If the target never changes, the results equal those of `sweep`, to the hit and the tick.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from heapq import heappop, heappush
from random import Random

import attrs

from prebuilds.decision.models import Preset
from prebuilds.decision.targets import calculate_target, find_next_target_change
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import count_ticks, to_ticks

TargetSteps = Sequence[tuple[int, int]]
"""Ticks in order, each with the target from then on. The first tick is the start of the trace."""


@attrs.frozen(kw_only=True)
class ReplayResult:
    """The results of a pool. `hits` has 1 for a hit and 0 for a miss, `idle` the idle ticks up to each step."""

    hits: bytes
    idle: tuple[int, ...]
    waited: int


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
    pool = _ReplayedPool(demand, steps[0][1], is_waiting=on_miss is OnMiss.WAIT)
    cuts = [*(bisect_left(demand.claims, at) for at, _ in steps[1:]), len(demand.claims)]
    idle = []
    for (at, target), begin, end in zip(steps, [0, *cuts], cuts, strict=False):
        idle.append(pool.change_target(at, target))
        for index in range(begin, end):
            pool.claim(index)
    idle.append(pool.advance(demand.end))
    return ReplayResult(hits=bytes(pool.hits), idle=tuple(idle), waited=pool.finish())


class _ReplayedPool:
    """The prebuilds, builds and waiting users at one instant. Each call moves time on."""

    def __init__(self, demand: Demand, target: int, *, is_waiting: bool) -> None:
        self._demand, self._is_waiting = demand, is_waiting
        self._claims, self._leads, self._ready_ticks = demand.claims, demand.leads, demand.ready_ticks
        self._random = Random(demand.seed + 1)  # noqa: S311
        self._now, self._target, self._ready = demand.begin, target, target
        self._builds: list[int] = []
        self._users: deque[int] = deque()
        self._idle = self._waited = 0
        self.hits = bytearray()

    def advance(self, now: int) -> int:
        """End the builds that are ready by now, and give the idle ticks so far."""
        builds = self._builds
        while builds and builds[0] <= now:
            self._end_build(heappop(builds))
        self._idle += self._ready * (now - self._now)
        self._now = now
        return self._idle

    def change_target(self, at: int, target: int) -> int:
        """Delete what is ready beyond the new target, or begin what is missing. Gives the idle ticks so far."""
        idle = self.advance(at)
        self._target = target
        self._ready = min(self._ready, target)
        while self._needs_build():
            lead = count_ticks(self._demand.lead_time.draw(self._random))
            heappush(self._builds, at + self._demand.wake_ticks + lead)
        return idle

    def claim(self, index: int) -> None:
        """A hit if a prebuild is ready. Otherwise the user waits for the next one, or builds their own."""
        at = self._claims[index]
        self.advance(at)
        is_hit = self._ready > 0
        self.hits.append(is_hit)
        if is_hit:
            self._ready -= 1
        elif self._is_waiting:
            self._users.append(at)
        else:
            self._waited += self._leads[index]
        if self._needs_build():
            heappush(self._builds, self._ready_ticks[index])

    def finish(self) -> int:
        """Serve the users who still wait, and give the ticks that all users waited."""
        while self._users:
            self._end_build(heappop(self._builds))
        return self._waited

    def _needs_build(self) -> bool:
        return self._ready + len(self._builds) - len(self._users) < self._target

    def _end_build(self, at: int) -> None:
        self._idle += self._ready * (at - self._now)
        self._now = at
        if self._users:
            self._waited += at - self._users.popleft()
        elif self._ready < self._target:
            self._ready += 1
