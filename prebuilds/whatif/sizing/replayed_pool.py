"""A pool in a replay: the numbers of its prebuilds, builds and waiting users at one instant.

- The pool is full when the trace begins. Ready prebuilds and builds that no user waits for are kept at the lower bound.
  Missing ones are begun `wake_ticks` later. Ready ones above the upper bound are deleted at once (R9).
- At the same instant, builds become ready first, then the bounds change, then users claim.
- Each call moves time on, so calls come in the order of time.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from random import Random

from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import count_ticks


class ReplayedPool:
    """A pool that serves a demand. `hits` has 1 for a hit and 0 for a miss, for each claim so far."""

    def __init__(self, demand: Demand, low: int, high: int, on_miss: OnMiss) -> None:
        self._demand, self._is_waiting = demand, on_miss is OnMiss.WAIT
        self._claims, self._leads, self._ready_ticks = demand.claims, demand.leads, demand.ready_ticks
        self._random = Random(demand.seed + 1)  # noqa: S311
        self._now, self._low, self._high, self._ready = demand.begin, low, high, low
        self._builds: list[int] = []
        self._users: deque[int] = deque()
        self._idle = self._waited = 0
        self.hits = bytearray()
        self.created = self.deleted = 0

    def advance(self, now: int) -> int:
        """End the builds that are ready by now, and give the idle ticks so far."""
        builds = self._builds
        while builds and builds[0] <= now:
            self._end_build(heappop(builds))
        self._idle += self._ready * (now - self._now)
        self._now = now
        return self._idle

    def approach(self, now: int) -> None:
        """Move on to an instant at which the bounds may change: what becomes ready then is kept by the new ones."""
        self.advance(now - 1)
        self._idle += self._ready * (now - self._now)
        self._now = now

    def set_bounds(self, low: int, high: int) -> None:
        """From now on, keep as many as `low`, and no more ready than `high`. `fill` begins what is missing."""
        self._low, self._high = low, high
        if self._ready > high:
            self.deleted += self._ready - high
            self._ready = high

    def fill(self) -> None:
        """Begin what is missing, with lead times of its own."""
        while self._needs_build():
            lead = count_ticks(self._demand.lead_time.draw(self._random))
            self._begin_build(self._now + self._demand.wake_ticks + lead)

    def claim(self, index: int) -> bool:
        """A hit if a prebuild is ready. Otherwise the user waits for the next one, or builds their own."""
        at, builds = self._claims[index], self._builds
        while builds and builds[0] <= at:
            self._end_build(heappop(builds))
        self._idle += self._ready * (at - self._now)
        self._now = at
        is_hit = self._ready > 0
        self.hits.append(is_hit)
        if is_hit:
            self._ready -= 1
        elif self._is_waiting:
            self._users.append(at)
        else:
            self._waited += self._leads[index]
        return is_hit

    def replace(self, index: int) -> None:
        """Begin the replacement of what this claim took, if the bounds want it."""
        if self._needs_build():
            self._begin_build(self._ready_ticks[index])

    def finish(self) -> int:
        """Serve the users who still wait, and give the ticks that all users waited."""
        while self._users:
            self._end_build(heappop(self._builds))
        return self._waited

    def _needs_build(self) -> bool:
        return self._ready + len(self._builds) - len(self._users) < self._low

    def _begin_build(self, ready_at: int) -> None:
        self.created += 1
        heappush(self._builds, ready_at)

    def _end_build(self, at: int) -> None:
        self._idle += self._ready * (at - self._now)
        self._now = at
        if self._users:
            self._waited += at - self._users.popleft()
        elif self._ready < self._high:
            self._ready += 1
        else:
            self.deleted += 1
