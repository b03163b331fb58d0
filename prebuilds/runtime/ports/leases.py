"""Writing who may reconcile."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

from prebuilds.runtime.models import Lease


@runtime_checkable
class LeaseWrites(Protocol):
    """Who may reconcile."""

    def take_lease(self, name: str, holder: str, *, now: datetime, expires_at: datetime) -> Lease | None:
        """The lease for this holder until `expires_at`; None while another holds one that expires after `now`.

        A holder that already has it keeps its token. Any other gets a token larger than all before.
        """
        ...

    def find_lease(self, name: str) -> Lease | None:
        """The lease as it was last taken, even if it has expired. None if it was never taken or has been released."""
        ...

    def release_lease(self, lease: Lease) -> None:
        """Let others take the lease now. Does nothing if it was taken since. Its token is never given out again."""
        ...
