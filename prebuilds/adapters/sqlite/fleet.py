"""Reading what a plan is made of; each of these is found by an index, however long the history is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.adapters.sqlite.rows import (
    PRESET_COLUMNS,
    SELECT_WORKSPACES,
    read_instant,
    read_outcome,
    read_preset,
    read_workspace,
    write_instant,
)
from prebuilds.adapters.sqlite.statements import Statements
from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.models import Workspace

_PRESETS = f"SELECT {PRESET_COLUMNS} FROM presets"
_PREBUILDS = f"{SELECT_WORKSPACES} WHERE workspaces.owner_id = 'prebuilds' AND workspaces.deleted = 0"
_RESETS = "SELECT id, reset_at FROM presets WHERE reset_at IS NOT NULL"

# The presets that have outcomes, found one after the other in the index: DISTINCT would read all of the history.
_NAMES = """
    WITH RECURSIVE names (preset_id) AS (
        SELECT min(preset_id) FROM builds WHERE transition = 'start' AND status IN ('failed', 'succeeded')
        UNION ALL
        SELECT (
            SELECT min(preset_id) FROM builds
            WHERE transition = 'start' AND status IN ('failed', 'succeeded') AND preset_id > names.preset_id
        )
        FROM names WHERE names.preset_id IS NOT NULL
    )
"""
_NAME = "WITH names (preset_id) AS (SELECT ?)"
# Of each preset those since an instant, or since the last of its `latest` ended, whichever is earlier.
_OUTCOMES = """
    SELECT builds.id, builds.preset_id, builds.status, builds.created_at, builds.finished_at
    FROM names
    CROSS JOIN builds ON builds.preset_id = names.preset_id
    WHERE builds.transition = 'start' AND builds.status IN ('failed', 'succeeded')
    AND builds.finished_at >= min(?, coalesce((
        SELECT latest.finished_at FROM builds AS latest
        WHERE latest.preset_id = names.preset_id
        AND latest.transition = 'start' AND latest.status IN ('failed', 'succeeded')
        ORDER BY latest.finished_at DESC LIMIT 1 OFFSET ?
    ), ?))
"""
_FIRST = -(2**63)  # before all instants


class FleetRows:
    """The role `FleetReads`."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

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
        bounds = (since, max(latest - 1, 0), _FIRST)
        if preset_id is None:
            rows = self._statements.fetch(_NAMES + _OUTCOMES, *bounds)
        else:
            rows = self._statements.fetch(_NAME + _OUTCOMES, preset_id, *bounds)
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
