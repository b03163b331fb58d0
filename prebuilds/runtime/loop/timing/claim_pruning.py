"""Forgetting old counts of claims, once an hour.

Two reconcilers may do so at the same time: the later one finds nothing to forget. So it needs no lease.
"""

from __future__ import annotations

import logging

from prebuilds.runtime.logs import attempt
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.ports import Capability, Store, Transaction

_log = logging.getLogger(__name__)
_PERIOD = 3600.0  # seconds


class ClaimPruning:
    """Forgets counts that are older than `ReconcilerOptions.claims_kept`."""

    def __init__(self, store: Store, options: ReconcilerOptions) -> None:
        self._store = store
        self._options = options
        self._due = options.clock.monotonic() + _PERIOD

    def prune_if_due(self) -> None:
        """Forget old counts in a transaction, an hour after the last time. A failure is logged."""
        now = self._options.clock.monotonic()
        if now >= self._due:
            self._due = now + _PERIOD
            attempt(_log, "old counts of claims were not deleted", self._prune)

    def prune_within(self, tx: Transaction) -> None:
        """Forget old counts within a transaction."""
        if Capability.CLAIM_COUNTS.is_in(tx):
            tx.prune_claim_counts(before=self._options.clock.now() - self._options.claims_kept)

    def _prune(self) -> None:
        with self._store.transaction() as tx:
            self.prune_within(tx)
