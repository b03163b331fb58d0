"""Policies of others as target functions, to replay on your own claims.

- Each follows the documentation that it names, in the version of 2026. Names of arguments are ours.
- Some count the workspaces in use. A trace does not tell how long a claimed workspace is used, so `in_use` says it.
- Where a policy is evaluated at an interval, so is its target function, at multiples of the interval since 1970.
"""

from __future__ import annotations

from datetime import timedelta
from math import ceil, inf

from prebuilds.decision.fields import MAX_COUNT
from prebuilds.whatif.targets.claim_window import ClaimWindow, clamp
from prebuilds.whatif.traces.argument_checks import (
    require_amount,
    require_count,
    require_interval,
    require_percentage,
    require_seconds,
)

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_COOLDOWN = timedelta(minutes=5)


class SpareTarget:
    """As many prebuilds as workspaces in use, and some spare ones; fewer only a cooldown after the last claim.

    This is the `autoscale` of a `SandboxPool` of mitos (`docs/scheduling.md` of mitos-run/mitos): it keeps
    `clamp(inUse + targetSpare, minWarm, maxWarm)` dormant, and holds what it has within `scaleDownCooldownSeconds`.
    """

    def __init__(
        self,
        spare: int = 2,
        *,
        least: int = 0,
        most: int = MAX_COUNT,
        in_use: timedelta = _HOUR,
        cooldown: timedelta = _COOLDOWN,
    ) -> None:
        self._spare = require_count("SpareTarget", "spare", spare)
        self._least = require_count("SpareTarget", "least", least)
        self._most = require_count("SpareTarget", "most", most)
        self._used = ClaimWindow(require_seconds("SpareTarget", "in_use", in_use))
        self._cooldown = require_seconds("SpareTarget", "cooldown", cooldown)
        self._held_until = -inf

    def note(self, at: float, *, is_hit: bool) -> None:  # noqa: ARG002
        self._used.add(at)
        self._held_until = at + self._cooldown

    def bounds(self, now: float) -> tuple[int, int]:
        target = clamp(self._used.count(now) + self._spare, self._least, self._most)
        return target, self._most if now < self._held_until else target

    def until(self, now: float) -> float:
        return min(self._used.find_next_change(), self._held_until if now < self._held_until else inf)


class RecentClaimsTarget:
    """A multiple of the claims of the last minutes, hits and misses, within bounds.

    This is the form of the examples for a preset's `desired_instances_expression` of Coder (*Smart prebuild autoscaling
    expressions*). The defaults are those of `max(2, min((claims_60m + misses_60m) * 2, 30))`.
    """

    def __init__(
        self,
        factor: float = 2,
        *,
        least: int = 2,
        most: int = 30,
        window: timedelta = _HOUR,
        interval: timedelta = _MINUTE,
    ) -> None:
        self._factor = require_amount("RecentClaimsTarget", "factor", factor)
        self._least = require_count("RecentClaimsTarget", "least", least)
        self._most = require_count("RecentClaimsTarget", "most", most)
        self._recent = ClaimWindow(require_seconds("RecentClaimsTarget", "window", window))
        self._round = _Rounds(require_interval("RecentClaimsTarget", "interval", interval))
        self._target = clamp(0, self._least, self._most)

    def note(self, at: float, *, is_hit: bool) -> None:  # noqa: ARG002
        self._recent.add(at)

    def bounds(self, now: float) -> tuple[int, int]:
        if self._round.is_new(now):
            self._target = clamp(ceil(self._factor * self._recent.count(now)), self._least, self._most)
        return self._target, self._target

    def until(self, now: float) -> float:
        return self._round.find_next(now)


class BufferTarget:
    """So many that this percentage of all instances is ready, within bounds on all, those in use included.

    This is the buffer policy of an Agones `FleetAutoscaler` with a `bufferSize` in percent (*Fleet Autoscaler
    Specification*): with 8 allocated and 30 %, a fleet has 12, so that 4 are ready.
    """

    def __init__(
        self,
        percentage: float,
        *,
        least: int = 0,
        most: int = MAX_COUNT,
        in_use: timedelta = _HOUR,
        interval: timedelta = _MINUTE / 2,
    ) -> None:
        self._percentage = require_percentage("BufferTarget", "percentage", percentage)
        self._least = require_count("BufferTarget", "least", least)
        self._most = require_count("BufferTarget", "most", most)
        self._used = ClaimWindow(require_seconds("BufferTarget", "in_use", in_use))
        self._round = _Rounds(require_interval("BufferTarget", "interval", interval))
        self._target = self._calculate(0)

    def note(self, at: float, *, is_hit: bool) -> None:  # noqa: ARG002
        self._used.add(at)

    def bounds(self, now: float) -> tuple[int, int]:
        if self._round.is_new(now):
            self._target = self._calculate(self._used.count(now))
        return self._target, self._target

    def until(self, now: float) -> float:
        return self._round.find_next(now)

    def _calculate(self, used: int) -> int:
        everything = clamp(ceil(used * 100 / (100 - self._percentage)), self._least, self._most)
        return max(0, everything - used)


class LastWeekTarget:
    """What the same hour of last week claimed in a lead time, and some spare ones.

    Many operators scale so by hand. An hour is one of UTC, 168 hours ago.
    """

    def __init__(self, lead_time: timedelta, spare: int = 1, *, factor: float = 1) -> None:
        lead = require_seconds("LastWeekTarget", "lead_time", lead_time)
        self._spare = require_count("LastWeekTarget", "spare", spare)
        self._factor = require_amount("LastWeekTarget", "factor", factor) * lead / 3_600
        self._claims: dict[int, int] = {}

    def note(self, at: float, *, is_hit: bool) -> None:  # noqa: ARG002
        hour = int(at // 3_600)
        self._claims[hour] = self._claims.get(hour, 0) + 1

    def bounds(self, now: float) -> tuple[int, int]:
        claims = self._claims.get(int(now // 3_600) - 168, 0)
        target = ceil(self._factor * claims) + self._spare
        return target, target

    def until(self, now: float) -> float:
        return (now // 3_600 + 1) * 3_600


class _Rounds:
    """The instants at which a policy is evaluated."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._last = -inf

    def is_new(self, now: float) -> bool:
        """Whether a round has begun since the last call, which it then has had."""
        number = now // self._interval
        is_new, self._last = number > self._last, number
        return is_new

    def find_next(self, now: float) -> float:
        return (now // self._interval + 1) * self._interval
