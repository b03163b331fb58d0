"""A transaction: every role of the ports, over the same connection."""

from __future__ import annotations

from contextlib import AbstractContextManager

from prebuilds.adapters.postgres.tables.builds import BuildRows
from prebuilds.adapters.postgres.tables.claim_counts import ClaimCountRows
from prebuilds.adapters.postgres.tables.claims import ClaimRows
from prebuilds.adapters.postgres.tables.outbox import OutboxRows
from prebuilds.adapters.postgres.tables.plan_reads import PlanReads
from prebuilds.adapters.postgres.tables.settings import CounterRows, LeaseRows, SettingsRows
from prebuilds.adapters.postgres.tables.workspaces import WorkspaceRows


class PostgresTransaction(
    PlanReads, WorkspaceRows, BuildRows, ClaimRows, ClaimCountRows, SettingsRows, CounterRows, LeaseRows, OutboxRows
):
    """All roles together."""

    def nested(self) -> AbstractContextManager[None]:
        return self._statements.nested()
