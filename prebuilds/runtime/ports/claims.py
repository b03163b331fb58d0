"""Whole claims, as a store makes them that needs no transaction of several calls for one; and how many there were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from prebuilds.runtime.claim_answers import Claim
from prebuilds.runtime.models import ClaimCount, ClaimRequest, Message


@runtime_checkable
class DirectClaims(Protocol):
    """A capability of a `Store`: it makes a whole claim in one call, for example in one trip to a server.

    `Claims` uses it where a store has it, and otherwise makes the claim in a transaction. Both answer alike.
    """

    def claim(self, request: ClaimRequest, *, message: Message) -> Claim:
        """Make the claim as a transaction of its own.

        An earlier claim with the request id is answered again, marked as repeated, and nothing else is done. Otherwise
        the preset must be active, and the claim takes what `ClaimWrites.take_prebuild` would, but no prebuild that has
        expired at `claimed_at` (R2). The cutoff for that is recorded as the claim's `created_since`; the request has
        none. `CLAIMED` or `CLAIM_MISSED` is counted. The message is sent after the commit if a prebuild was taken.

        Of several calls with one request id at once, one makes the claim and the others repeat its answer. The preset
        was active, and the prebuild fitted, at one moment during the call.

        Raises `UnknownPresetError`, `NameTakenError` as `take_prebuild` does, and `ClaimConflictError` if the request
        id was used for another preset, owner or name. Nothing is taken or counted then. Also raises what
        `Store.transaction` does.
        """
        ...


@runtime_checkable
class ClaimCountWrites(Protocol):
    """Claims by the minute, a capability: what a target that follows demand is learned from (R21)."""

    def note_claim(self, preset_id: str, at: datetime, *, is_hit: bool) -> None:
        """Count a claim in its minute, in the same transaction as the claim.

        `is_hit` says whether it got a prebuild.
        """
        ...

    def list_claim_counts(self, preset_id: str | None = None, *, since: datetime | None = None) -> Sequence[ClaimCount]:
        """The minutes with a claim, of one preset or of all, that begin at `since` or later.

        Ordered by preset, then by time.
        """
        ...

    def prune_claim_counts(self, *, before: datetime) -> None:
        """Forget the minutes that begin earlier."""
        ...
