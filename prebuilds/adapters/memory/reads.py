"""Reading the fleet from memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from prebuilds.adapters.memory.role import Role
from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.models import ClaimRequest, CounterValue, Lease, OutboxEntry, Workspace
from prebuilds.runtime.workspace_rules import select_outcomes


class FleetReads(Role):
    """All methods that only read."""

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        presets = self.tables.presets
        return tuple(presets.values()) if preset_id is None else _find(presets, preset_id)

    def list_prebuilds(self, preset_id: str | None = None) -> Sequence[Workspace]:
        return tuple(
            [
                workspace
                for workspace in self.tables.workspaces.values()
                if workspace.is_prebuild and not workspace.deleted and preset_id in (None, workspace.preset_id)
            ]
        )

    def list_builds(self, *, ended_since: datetime, latest: int, preset_id: str | None = None) -> Sequence[Build]:
        tables = self.tables
        builds: list[Build] = []
        for preset in tables.presets.values() if preset_id is None else _find(tables.presets, preset_id):
            outcomes, reset_at = tables.outcomes.get(preset.id, ()), tables.resets.get(preset.id)
            builds += select_outcomes(outcomes, preset, reset_at=reset_at, ended_since=ended_since, latest=latest)
        return builds

    def list_resets(self, preset_id: str | None = None) -> Sequence[tuple[str, datetime]]:
        return tuple(item for item in self.tables.resets.items() if preset_id in (None, item[0]))

    def list_memberships(self) -> Sequence[str]:
        return tuple(self.tables.memberships)

    def is_paused(self) -> bool:
        return self.tables.settings.get("paused", False)

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        return self.tables.workspaces.get(workspace_id)

    def find_claim(self, request_id: str) -> tuple[ClaimRequest, Workspace] | None:
        claim = self.tables.claims.get(request_id)
        return (claim[0], self.tables.workspaces[claim[1]]) if claim else None

    def list_counters(self) -> Sequence[CounterValue]:
        counters = self.tables.counters.items()
        return tuple(CounterValue(preset_id=name, counter=counter, value=value) for (name, counter), value in counters)

    def find_lease(self, name: str) -> Lease | None:
        return self.tables.leases.get(name)

    def list_messages(self, limit: int) -> Sequence[OutboxEntry]:
        first = list(self.tables.outbox.items())[:limit]
        return tuple(OutboxEntry(id=number, message=message) for number, message in first)


def _find(presets: Mapping[str, Preset], preset_id: str) -> Sequence[Preset]:
    return (presets[preset_id],) if preset_id in presets else ()
