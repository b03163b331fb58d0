"""The tables of the memory store.

- What has been committed is never changed: a transaction copies a table before it writes to it for the first time.
- So whoever holds the tables of one moment holds a snapshot, and rolling back is forgetting the copies.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.models import Counter, Lease, Message, Take, Workspace


@attrs.define(kw_only=True)
class Tables:
    """All that the store holds. Every field is a dict; only one that is in `owned` may be written to."""

    presets: dict[str, Preset] = attrs.field(factory=dict)
    workspaces: dict[str, Workspace] = attrs.field(factory=dict)
    """By id, whoever owns them, deleted or not."""
    builds: dict[str, str | None] = attrs.field(factory=dict)
    """The id of the workspace of every build, by the build's id; None for one that had no workspace."""
    outcomes: dict[str, tuple[Build, ...]] = attrs.field(factory=dict)
    """The start builds of a preset's prebuilds that have ended, by preset id, in the order in which they did."""
    claims: dict[str, tuple[Take, str]] = attrs.field(factory=dict)
    """What was claimed and the id of the workspace, by request id."""
    resets: dict[str, datetime] = attrs.field(factory=dict)
    memberships: dict[str, None] = attrs.field(factory=dict)
    counters: dict[tuple[str, Counter], int] = attrs.field(factory=dict)
    settings: dict[str, bool] = attrs.field(factory=dict)
    leases: dict[str, Lease] = attrs.field(factory=dict)
    tokens: dict[str, int] = attrs.field(factory=dict)
    """The last token that was given out for a lease, by its name."""
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
