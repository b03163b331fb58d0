"""Records: everything that happened to one pool in a simulation, from which all that a result tells is worked out.

- Instants are ticks, whole microseconds since 1970. `NEVER` is later than every instant that can be simulated.
- Builds are numbered in the order of their creation, those that were there at the begin first. What is told of builds
  is in tuples of one length, with a build's number as the place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum

import attrs

from prebuilds.decision.models import Preset
from prebuilds.decision.targets import TargetSource

NEVER = 2**62


class Fate(Enum):
    """What became of a prebuild."""

    CLAIMED = "claimed"
    AWAITED = "awaited"
    """A user who waited took it when it became ready, so that it never was in the pool."""
    FAILED = "failed"
    """Its build came to nothing."""
    EXPIRED = "expired"
    """It was deleted as expired: past the ttl, or created before an invalidation."""
    DELETED = "deleted"
    """It was deleted as beyond the target, or as its preset was inactive."""


class HoldReason(Enum):
    """Why the loop creates nothing though the target lacks something."""

    BACKOFF = "backoff"
    HARD_LIMITED = "hard_limited"


@attrs.frozen(kw_only=True)
class TargetChange:
    """From this tick on the pool wants so many."""

    at: int
    desired: int
    source: TargetSource


@attrs.frozen(kw_only=True)
class Hold:
    """From the round at `at` on nothing was created, up to the round at which there is another reason, or None."""

    at: int
    reason: HoldReason | None
    until: int = NEVER
    num_failed: int = 0


@attrs.frozen(kw_only=True)
class Generation:
    """One preset of a pool: the first, or the one that a promotion made at `since` to succeed the last."""

    since: int
    preset: Preset


@attrs.frozen(kw_only=True, repr=False)
class PoolRecord:
    """What happened to the pool of one preset, and of those that succeeded it, from `begin` to `end`."""

    preset_id: str
    begin: int
    end: int
    claims: tuple[int, ...]
    missed: tuple[int, ...]
    """The places, among the claims, of those that found nothing ready."""
    waits: tuple[int, ...]
    """How long each of the missed had to wait, in microseconds."""
    unserved: int
    """How many of the last of these waits had not ended, and are counted up to the end."""
    created: tuple[int, ...]
    ended: tuple[int, ...]
    """When each build ended; a build that is under way at the end has a tick after it."""
    gone: tuple[int, ...]
    """When each prebuild was claimed or deleted or its build failed, else `NEVER`."""
    fates: tuple[Fate | None, ...]
    generations: tuple[int, ...]
    """The place, among the presets, of the preset that each build is of."""
    outdated: tuple[int, ...]
    """The numbers of the initial prebuilds that were made with another version or other parameters, so expired (R2)."""
    num_initial: int
    """How many of the builds were there at the begin, ready or under way."""
    rounds: int
    presets: tuple[Generation, ...]
    targets: tuple[TargetChange, ...]
    holds: tuple[Hold, ...]
    invalidations: tuple[int, ...]
    interval: int | None
    can_wait: bool


class Ledger:
    """The same while it is being written: what is told of builds is in lists, a build's number being the place."""

    def __init__(self) -> None:
        self.created: list[int] = []
        self.created_at: list[datetime] = []
        self.ended: list[int] = []
        self.gone: list[int] = []
        self.fates: list[Fate | None] = []
        self.generations: list[int] = []
        self.outdated: list[int] = []
        self.missed: list[int] = []
        self.waits: list[int] = []
        self.presets: list[Generation] = []
        self.holds: list[Hold] = []
        self.invalidations: list[int] = []

    def open(self, created: int, created_at: datetime, ended: Sequence[int], generation: int) -> int:
        """Note builds that are created now, with their ends, and give the number of the first of them."""
        first, count = len(self.created), len(ended)
        self.created += (created,) * count
        self.created_at += (created_at,) * count
        self.ended += ended
        self.gone += (NEVER,) * count
        self.fates += (None,) * count
        self.generations += (generation,) * count
        return first

    def close(self, number: int, gone: int, fate: Fate) -> None:
        """Note what has become of a prebuild."""
        self.gone[number] = gone
        self.fates[number] = fate

    def hold(self, at: int, reason: HoldReason | None, until: int = NEVER, num_failed: int = 0) -> None:
        """Note why nothing is created, where it is not for the reason of the round before."""
        last = self.holds[-1] if self.holds else None
        if (last and (last.reason, last.until, last.num_failed)) != (reason, until, num_failed):
            self.holds.append(Hold(at=at, reason=reason, until=until, num_failed=num_failed))

    @property
    def is_held(self) -> bool:
        return bool(self.holds) and self.holds[-1].reason is not None
