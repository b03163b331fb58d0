"""Whole claims, as a store makes them that needs no transaction of several calls for one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from prebuilds.runtime.claim_answers import Claim
from prebuilds.runtime.models import ClaimRequest, Message


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
