"""Reading what a plan is made of. An index serves each query, so that a long history costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.adapters.queries import list_counted_versions
from prebuilds.adapters.sqlite.connections.statements import Role, Statements
from prebuilds.adapters.sqlite.tables.rows import (
    LISTED_PRESET_COLUMNS,
    SELECT_WORKSPACES,
    read_instant,
    read_outcome,
    read_preset,
    read_workspace,
    write_instant,
)
from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.models import Workspace

_PRESETS = f"SELECT {LISTED_PRESET_COLUMNS} FROM presets"
_PREBUILDS = f"{SELECT_WORKSPACES} WHERE workspaces.owner_id = 'prebuilds' AND workspaces.deleted = 0"
_RESETS = "SELECT id, reset_at FROM presets WHERE reset_at IS NOT NULL"

_OUTCOME = "builds.transition = 'start' AND builds.status IN ('failed', 'succeeded')"
_FLEET = f"SELECT id, template_version_id AS version, coalesce(reset_at, {-(2**63)}) AS reset_at FROM presets"


def _list_outcomes(fleet: str) -> str:
    return f"""
    WITH RECURSIVE {list_counted_versions(fleet, _OUTCOME)}
    -- First the latest attempts of each version that ended before the instant, then all builds that ended since.
    SELECT builds.id, preset_id, template_version_id, status, created_at, finished_at
    FROM counted CROSS JOIN builds INDEXED BY attempts
    ON builds.preset_id = counted.id AND builds.template_version_id = counted.version
    WHERE {_OUTCOME} AND builds.created_at >= coalesce((
        SELECT DISTINCT latest.created_at FROM builds AS latest
        WHERE latest.preset_id = counted.id AND latest.template_version_id = counted.version
        AND latest.transition = 'start' AND latest.status IN ('failed', 'succeeded')
        AND latest.created_at > counted.reset_at
        ORDER BY latest.created_at DESC LIMIT 1 OFFSET ?
    ), counted.reset_at + 1)
    AND builds.finished_at < ? AND ?
    UNION ALL
    SELECT builds.id, preset_id, template_version_id, status, created_at, finished_at
    FROM fleet CROSS JOIN builds INDEXED BY outcomes ON builds.preset_id = fleet.id
    WHERE {_OUTCOME} AND builds.finished_at >= ? AND builds.created_at > fleet.reset_at
    AND (fleet.version = '' OR builds.template_version_id IN ('', fleet.version))
    """


ALL_OUTCOMES, OUTCOMES = _list_outcomes(_FLEET), _list_outcomes(f"{_FLEET} WHERE id = ?")


class FleetRows(Role):
    """The role `FleetReads`."""

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        if preset_id is None:
            return tuple(map(read_preset, self._statements.fetch(f"{_PRESETS} ORDER BY id")))
        preset = find_preset(self._statements, preset_id)
        return (preset,) if preset else ()

    def list_prebuilds(self, preset_id: str | None = None) -> Sequence[Workspace]:
        if preset_id is None:
            rows = self._statements.fetch(_PREBUILDS)
        else:
            rows = self._statements.fetch(f"{_PREBUILDS} AND workspaces.preset_id = ?", preset_id)
        return tuple(map(read_workspace, rows))

    def list_builds(self, *, ended_since: datetime, latest: int, preset_id: str | None = None) -> Sequence[Build]:
        since = write_instant("ended_since", ended_since)
        bounds = (max(latest - 1, 0), since, latest > 0, since)
        if preset_id is None:
            rows = self._statements.fetch(ALL_OUTCOMES, *bounds)
        else:
            rows = self._statements.fetch(OUTCOMES, preset_id, *bounds)
        return tuple(map(read_outcome, rows))

    def list_resets(self, preset_id: str | None = None) -> Sequence[tuple[str, datetime]]:
        if preset_id is None:
            rows = self._statements.fetch(_RESETS)
        else:
            rows = self._statements.fetch(f"{_RESETS} AND id = ?", preset_id)
        return tuple((name, read_instant(reset_at)) for name, reset_at in rows)

    def list_memberships(self) -> Sequence[str]:
        return tuple(name for (name,) in self._statements.fetch("SELECT organization_id FROM memberships"))

    def is_paused(self) -> bool:
        return self._statements.has("SELECT 1 FROM settings WHERE name = 'paused' AND value = 1")


def find_preset(statements: Statements, preset_id: str) -> Preset | None:
    """The preset with this id."""
    row = statements.fetch_one(f"{_PRESETS} WHERE id = ?", preset_id)
    return read_preset(row) if row else None
