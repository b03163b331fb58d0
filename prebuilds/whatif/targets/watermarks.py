"""Watermarks: a policy that grows when too few prebuilds are available, and shrinks when too many are.

This is the `capacityPolicy` of a `PoolAutoscaler` of OpenKruise Agents, in the version of 2026
(`docs/proposals/20260106-sandboxset-autoscaler.md` of openkruise/agents).
"""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from math import inf

from prebuilds.decision.fields import MAX_COUNT
from prebuilds.whatif.targets.claim_window import clamp
from prebuilds.whatif.traces.argument_checks import require_amount, require_count, require_seconds

_COOLDOWN = timedelta(minutes=5)


class WatermarkTarget:
    """Keep `available` prebuilds ready, give or take a tolerance, a share of them.

    Below the lower watermark, the pool grows by what is missing; then it waits a lead time before it grows again. Above
    the upper one it shrinks by what is too much, at most once in a cooldown. In between it stays as it is. The function
    knows what is ready from the claims and the lead time, as if every build took as long and misses were lost.
    """

    def __init__(
        self,
        available: int,
        lead_time: timedelta,
        *,
        tolerance: float = 0.1,
        least: int = 0,
        most: int = MAX_COUNT,
        cooldown: timedelta = _COOLDOWN,
    ) -> None:
        self._available = require_count("WatermarkTarget", "available", available)
        self._lead = require_seconds("WatermarkTarget", "lead_time", lead_time)
        margin = require_amount("WatermarkTarget", "tolerance", tolerance) * available
        self._lower, self._upper = available - margin, available + margin
        self._least = require_count("WatermarkTarget", "least", least)
        self._most = require_count("WatermarkTarget", "most", most)
        self._cooldown = require_seconds("WatermarkTarget", "cooldown", cooldown)
        self._size = clamp(available, self._least, self._most)
        self._builds: deque[float] = deque()
        self._grows_from = self._shrinks_from = -inf

    def note(self, at: float, *, is_hit: bool) -> None:
        self._end_builds(at)
        if is_hit:
            self._builds.append(at + self._lead)

    def bounds(self, now: float) -> tuple[int, int]:
        self._end_builds(now)
        ready = self._size - len(self._builds)
        if ready < self._lower and now >= self._grows_from:
            self._grow(now, self._available - ready)
        elif ready > self._upper and now >= self._shrinks_from:
            self._size = max(self._least, self._size - (ready - self._available))
            self._shrinks_from = now + self._cooldown
        return self._size, self._size

    def until(self, now: float) -> float:
        """When a build ends, or when the pool may grow or shrink again."""
        waits = [at for at in (self._grows_from, self._shrinks_from) if at > now]
        return min([*waits, self._builds[0] if self._builds else inf])

    def _grow(self, now: float, missing: int) -> None:
        more = clamp(self._size + missing, self._least, self._most) - self._size
        if more > 0:
            self._size += more
            self._builds.extend([now + self._lead] * more)
            self._grows_from = now + self._lead

    def _end_builds(self, now: float) -> None:
        while self._builds and self._builds[0] <= now:
            self._builds.popleft()
