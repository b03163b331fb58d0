"""The event log: everything that happened to one pool. A result works out all its numbers from it.

- Instants are ticks: whole microseconds since 1970. `NEVER` is later than every instant that can be simulated.
- Builds are numbered in the order of their creation. Those that were there at the start come first. Each column about
  builds is a tuple with one value for each build, in that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import attrs

from prebuilds.decision.models import Preset
from prebuilds.decision.targets import TargetSource

NEVER = 2**62


class PrebuildOutcome(Enum):
    """What became of a prebuild."""

    CLAIMED = "claimed"
    AWAITED = "awaited"
    """A waiting user took it as soon as it was ready, or at its promotion. It was never in the pool."""
    FAILED = "failed"
    """Its build failed, or missed a deadline (R14)."""
    EXPIRED = "expired"
    """It was deleted as expired: past the ttl, or created before an invalidation."""
    DELETED = "deleted"
    """It was deleted because it was beyond the target or its preset was inactive."""


class HoldReason(Enum):
    """Why the loop creates nothing although prebuilds are missing."""

    BACKOFF = "backoff"
    HARD_LIMITED = "hard_limited"
    BUDGET = "budget"
    SLOW_START = "slow_start"


_MOST_OF_AN_ID = 400  # characters of an id that a longer one may begin with
_FIRST_NAME = 10**9  # all numbers then have the same length; padding with zeros takes twice as long


def make_prefix(preset: Preset) -> str:
    """What the ids of all simulated prebuilds of a preset begin with."""
    return f"{preset.id[:_MOST_OF_AN_ID]}-"


def name_prebuild(prefix: str, number: int) -> str:
    """The id of the simulated prebuild with this number. Ids sort as their numbers do."""
    return prefix + str(number + _FIRST_NAME)


@attrs.frozen(kw_only=True)
class TargetChange:
    """From tick `at` on, the pool wants `desired` prebuilds."""

    at: int
    desired: int
    source: TargetSource


@attrs.frozen(kw_only=True)
class Hold:
    """From the round at `at` on, nothing was created for this reason. None ends a hold."""

    at: int
    reason: HoldReason | None
    until: int = NEVER
    num_failed: int = 0


@attrs.frozen(kw_only=True)
class ActivePreset:
    """The preset that is active from `since` on: the first, or one that a promotion put in its place.

    `since` is `NEVER` for the last one if it is a candidate that was not promoted.
    """

    since: int
    preset: Preset


@attrs.frozen(kw_only=True, repr=False)
class EventLog:
    """What happened to the pool of one preset and its successors from `begin` to `end`."""

    preset_id: str
    begin: int
    end: int
    claims: tuple[int, ...]
    missed: tuple[int, ...]
    """Which claims found nothing ready, by their places in `claims`."""
    waits: tuple[int, ...]
    """How long the user of each missed claim waited, in microseconds."""
    unserved: int
    """How many of the last waits had not ended. They are counted up to the end."""
    created: tuple[int, ...]
    ended: tuple[int, ...]
    """When each build ended. For a build still under way at the end, this is a tick after it; `NEVER` if it hangs."""
    gone: tuple[int, ...]
    """When each prebuild was claimed or deleted, or its build failed; `NEVER` if nothing of this happened."""
    outcomes: tuple[PrebuildOutcome | None, ...]
    preset_indexes: tuple[int, ...]
    """Which preset each build belongs to, by its place in `presets`."""
    outdated: tuple[int, ...]
    """The numbers of initial prebuilds made with another version or other parameters. They count as expired (R2)."""
    never_ready: frozenset[int]
    """The numbers of builds that ended well, but whose prebuilds never became ready."""
    given: tuple[tuple[int, str], ...]
    """The numbers and ids of initial prebuilds that the snapshot gave."""
    num_initial: int
    """How many builds were there at the start, ready or under way."""
    rounds: int
    presets: tuple[ActivePreset, ...]
    targets: tuple[TargetChange, ...]
    holds: tuple[Hold, ...]
    invalidations: tuple[int, ...]
    interval: int | None
    can_wait: bool


class EventRecorder:
    """Records events as they happen, in lists with the columns of an `EventLog`."""

    def __init__(self) -> None:
        self.created: list[int] = []
        self.created_at: list[datetime] = []
        self.ended: list[int] = []
        self.gone: list[int] = []
        self.outcomes: list[PrebuildOutcome | None] = []
        self.preset_indexes: list[int] = []
        self.outdated: list[int] = []
        self.never_ready: set[int] = set()
        self.given: list[tuple[int, str]] = []
        self.missed: list[int] = []
        self.waits: list[int] = []
        self.presets: list[ActivePreset] = []
        self.holds: list[Hold] = []
        self.invalidations: list[int] = []

    def open(self, created: int, created_at: datetime, ended: Sequence[int], preset_index: int) -> int:
        """Record builds that are created now, with their ends, and give the number of the first."""
        first, count = len(self.created), len(ended)
        self.created += (created,) * count
        self.created_at += (created_at,) * count
        self.ended += ended
        self.gone += (NEVER,) * count
        self.outcomes += (None,) * count
        self.preset_indexes += (preset_index,) * count
        return first

    def close(self, number: int, gone: int, outcome: PrebuildOutcome) -> None:
        """Record what became of a prebuild."""
        self.gone[number] = gone
        self.outcomes[number] = outcome

    def hold(self, at: int, reason: HoldReason | None, until: int = NEVER, num_failed: int = 0) -> None:
        """Record why nothing is created, if the reason is not that of the round before."""
        last = self.holds[-1] if self.holds else None
        if (last and (last.reason, last.until, last.num_failed)) != (reason, until, num_failed):
            self.holds.append(Hold(at=at, reason=reason, until=until, num_failed=num_failed))

    def list_columns(self) -> dict[str, Any]:
        """The columns that an `EventLog` has, as tuples."""
        names = {field.name for field in attrs.fields(EventLog)}
        columns = {name: tuple(column) for name, column in vars(self).items() if name in names}
        return {**columns, "never_ready": frozenset(self.never_ready)}

    @property
    def is_held(self) -> bool:
        return bool(self.holds) and self.holds[-1].reason is not None
