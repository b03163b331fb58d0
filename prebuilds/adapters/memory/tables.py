"""The tables of the memory store.

- Committed tables never change: a transaction copies a table before it first writes to it.
- So the tables of one moment are a snapshot, and rolling back means dropping the copies.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from prebuilds.decision.models import Build, Preset
from prebuilds.decision.policies.budgets import Budget
from prebuilds.runtime.models import ClaimRequest, Counter, Lease, Message, Workspace


@attrs.define(kw_only=True)
class Tables:
    """Everything in the store. Each table is a dict; only those named in `owned` may be written to."""

    presets: dict[str, Preset] = attrs.field(factory=dict)
    workspaces: dict[str, Workspace] = attrs.field(factory=dict)
    """All workspaces by id: prebuilds, users' workspaces and deleted ones."""
    builds: dict[str, str | None] = attrs.field(factory=dict)
    """The workspace id of every build, by build id; None for a build without a workspace."""
    outcomes: dict[str, tuple[Build, ...]] = attrs.field(factory=dict)
    """The start builds of prebuilds that have ended, by preset id, in the order in which they ended."""
    claims: dict[str, tuple[ClaimRequest, str]] = attrs.field(factory=dict)
    """Each claim and the id of its workspace, by request id."""
    resets: dict[str, datetime] = attrs.field(factory=dict)
    budgets: dict[str, Budget] = attrs.field(factory=dict)
    """The budgets by name."""
    memberships: dict[str, None] = attrs.field(factory=dict)
    counters: dict[tuple[str, Counter], int] = attrs.field(factory=dict)
    claim_counts: dict[tuple[str, datetime], tuple[int, int]] = attrs.field(factory=dict)
    """Hits and misses, by preset and minute."""
    settings: dict[str, bool] = attrs.field(factory=dict)
    leases: dict[str, Lease] = attrs.field(factory=dict)
    tokens: dict[str, int] = attrs.field(factory=dict)
    """The last token given out for each lease, by the lease's name."""
    outbox: dict[int, Message] = attrs.field(factory=dict)
    sequences: dict[str, int] = attrs.field(factory=dict)
    owned: set[str] = attrs.field(factory=set)

    def own(self, *names: str) -> Tables:
        """Make these tables safe to write to."""
        for name in names:
            if name not in self.owned:
                setattr(self, name, getattr(self, name).copy())
                self.owned.add(name)
        return self

    def fork(self) -> Tables:
        """The same tables, none of them owned."""
        return attrs.evolve(self, owned=set())
