"""The rows of the memory store: dicts of frozen models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prebuilds.adapters.memory.tables import Tables
from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection
from prebuilds.runtime.models import ClaimRequest, Workspace
from prebuilds.runtime.workspace_rules import select_claimable, select_outcomes


class PlainRows:
    """`Rows` in dicts. One transaction writes at a time, so no row need be locked."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables.fork()

    def read_rows(
        self, selection: Selection = ALL_PRESETS, *, ended_since: datetime | None = None, latest: int = 0
    ) -> FleetRows:
        tables, has = self.tables, selection.has
        presets = [preset for preset in tables.presets.values() if has(preset.id)]
        return FleetRows(
            presets=presets,
            prebuilds=[row for row in tables.workspaces.values() if _is_listed(row) and has(row.preset_id)],
            builds=self._list_builds(presets, ended_since, latest),
            resets=[item for item in tables.resets.items() if has(item[0])],
            memberships=list(tables.memberships),
            budgets=list(tables.budgets.values()),
            is_paused=tables.settings.get("paused", False),
        )

    def _list_builds(self, presets: Iterable[Preset], ended_since: datetime | None, latest: int) -> Iterator[Build]:
        for preset in presets if ended_since or latest else ():
            outcomes, reset_at = self.tables.outcomes.get(preset.id, ()), self.tables.resets.get(preset.id)
            yield from select_outcomes(outcomes, preset, reset_at=reset_at, ended_since=ended_since, latest=latest)

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        presets = self.tables.presets
        if preset_id is None:
            return tuple(presets.values())
        return (presets[preset_id],) if preset_id in presets else ()

    def lock_preset(self, preset_id: str, *, exclusive: bool = False) -> Preset | None:  # noqa: ARG002 - all writes are
        return self.tables.presets.get(preset_id)

    def get_workspaces(self, ids: Sequence[str], *, lock: bool = False) -> Sequence[Workspace]:  # noqa: ARG002 - see above
        rows = self.tables.workspaces
        return [rows[name] for name in ids if name in rows]

    def find_builds(self, ids: Sequence[str]) -> Mapping[str, str | None]:
        builds = self.tables.builds
        return {name: builds[name] for name in ids if name in builds}

    def lock_claimable(self, request: ClaimRequest, preset: Preset) -> Workspace | None:
        return select_claimable(self.tables.workspaces.values(), preset, request)

    def is_name_taken(self, owner_id: str, name: str) -> bool:
        rows = self.tables.workspaces.values()
        return any(row.name == name and row.owner_id == owner_id and not row.deleted for row in rows)

    def put_workspaces(self, workspaces: Sequence[Workspace]) -> None:
        tables = self.own("workspaces", "builds")
        for workspace in workspaces:
            tables.workspaces[workspace.id] = workspace
            tables.builds[workspace.last_build.id] = workspace.id

    def remove_workspaces(self, workspaces: Sequence[Workspace]) -> None:
        tables = self.own("workspaces", "builds")
        for workspace in workspaces:
            del tables.workspaces[workspace.id], tables.builds[workspace.last_build.id]

    def add_outcomes(self, builds: Sequence[Build]) -> None:
        tables = self.own("outcomes", "builds")
        for build in builds:
            known = (*tables.outcomes.get(build.preset_id, ()), build)
            tables.outcomes[build.preset_id] = tuple(sorted(known, key=_get_end))  # reports may come late
            tables.builds.setdefault(build.id, None)

    def find_claim(self, request_id: str) -> tuple[ClaimRequest, str] | None:
        return self.tables.claims.get(request_id)

    def put_claim(self, request: ClaimRequest, workspace_id: str) -> None:
        self.own("claims").claims[request.request_id or ""] = (request, workspace_id)

    def put_preset(self, preset: Preset) -> None:
        self.own("presets").presets[preset.id] = preset

    def put_reset(self, preset_id: str, at: datetime) -> None:
        self.own("resets").resets[preset_id] = at

    def own(self, *names: str) -> Tables:
        """The tables, with the named ones made safe to write to."""
        return self.tables.own(*names)


def _get_end(build: Build) -> datetime:
    return build.finished_at or build.created_at


def _is_listed(workspace: Workspace) -> bool:
    return workspace.is_prebuild and not workspace.deleted
