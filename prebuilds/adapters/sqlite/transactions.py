"""A transaction: every role of the ports, over the same connection."""

from __future__ import annotations

from contextlib import AbstractContextManager

from prebuilds.adapters.sqlite.tables.builds import BuildRows
from prebuilds.adapters.sqlite.tables.claim_counts import ClaimCountRows
from prebuilds.adapters.sqlite.tables.claims import ClaimRows
from prebuilds.adapters.sqlite.tables.outbox import OutboxRows
from prebuilds.adapters.sqlite.tables.plan_reads import PlanReads
from prebuilds.adapters.sqlite.tables.settings import CounterRows, LeaseRows, SettingsRows
from prebuilds.adapters.sqlite.tables.workspaces import WorkspaceRows


class SQLiteTransaction(
    PlanReads, WorkspaceRows, BuildRows, ClaimRows, ClaimCountRows, SettingsRows, CounterRows, LeaseRows, OutboxRows
):
    """All roles together."""

    def nested(self) -> AbstractContextManager[None]:
        return self._statements.nested()
