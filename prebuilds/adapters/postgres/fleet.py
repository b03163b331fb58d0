"""Reading what a plan is made of; each of these is found by an index, however long the history is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.adapters.postgres.statements import Statements
from prebuilds.adapters.rows import PRESET_COLUMNS, make_outcome, make_preset, make_workspace
from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.models import Workspace

WORKSPACE_COLUMNS = """
    id, name, owner_id, preset_id, template_id, created_at, ready, deleted, failed_deletes,
    build_id, build_number, build_transition, build_status, build_version_id, build_created_at, build_finished_at,
    build_submitted
"""

PRESETS = f"SELECT {', '.join(PRESET_COLUMNS)} FROM presets"
PREBUILDS = f"SELECT {WORKSPACE_COLUMNS} FROM workspaces WHERE owner_id = 'prebuilds' AND NOT deleted"
RESETS = "SELECT id, reset_at FROM presets WHERE reset_at IS NOT NULL"

# The presets that have outcomes, found one after the other in the index: DISTINCT would read all of the history.
_NAMES = """
    WITH RECURSIVE names (preset_id) AS (
        (SELECT min(preset_id) FROM builds WHERE transition = 'start' AND status IN ('succeeded', 'failed'))
        UNION ALL
        SELECT (
            SELECT min(preset_id) FROM builds
            WHERE transition = 'start' AND status IN ('succeeded', 'failed') AND preset_id > names.preset_id
        )
        FROM names WHERE names.preset_id IS NOT NULL
    )
"""
_NAME = "WITH names (preset_id) AS (SELECT %(preset_id)s::text)"
# Of each preset those since an instant, or since the last of its `latest` ended, whichever is earlier.
_OUTCOMES = """
    SELECT outcomes.id, outcomes.preset_id, outcomes.status, outcomes.created_at, outcomes.finished_at
    FROM names
    CROSS JOIN LATERAL (
        SELECT id, preset_id, status, created_at, finished_at FROM builds
        WHERE preset_id = names.preset_id AND transition = 'start' AND status IN ('succeeded', 'failed')
        AND finished_at >= least(%(since)s, coalesce((
            SELECT finished_at FROM builds AS latest
            WHERE latest.preset_id = names.preset_id
            AND latest.transition = 'start' AND latest.status IN ('succeeded', 'failed')
            ORDER BY latest.finished_at DESC LIMIT 1 OFFSET %(rank)s
        ), '-infinity'))
    ) AS outcomes
"""
ALL_OUTCOMES, OUTCOMES = _NAMES + _OUTCOMES, _NAME + _OUTCOMES


class FleetRows:
    """The role `FleetReads`."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        if preset_id is None:
            rows = self._statements.fetch(f"{PRESETS} ORDER BY id")
        else:
            rows = self._statements.fetch(f"{PRESETS} WHERE id = %(id)s", id=preset_id)
        return tuple(map(make_preset, rows))

    def list_prebuilds(self, preset_id: str | None = None) -> Sequence[Workspace]:
        if preset_id is None:
            rows = self._statements.fetch(PREBUILDS)
        else:
            rows = self._statements.fetch(f"{PREBUILDS} AND preset_id = %(preset_id)s", preset_id=preset_id)
        return tuple(map(make_workspace, rows))

    def list_builds(self, *, ended_since: datetime, latest: int, preset_id: str | None = None) -> Sequence[Build]:
        rank = max(latest - 1, 0)
        if preset_id is None:
            rows = self._statements.fetch(ALL_OUTCOMES, since=ended_since, rank=rank)
        else:
            rows = self._statements.fetch(OUTCOMES, preset_id=preset_id, since=ended_since, rank=rank)
        return tuple(map(make_outcome, rows))

    def list_resets(self, preset_id: str | None = None) -> Sequence[tuple[str, datetime]]:
        if preset_id is None:
            rows = self._statements.fetch(RESETS)
        else:
            rows = self._statements.fetch(f"{RESETS} AND id = %(id)s", id=preset_id)
        return tuple((name, reset_at) for name, reset_at in rows)

    def list_memberships(self) -> Sequence[str]:
        return tuple(name for (name,) in self._statements.fetch("SELECT organization_id FROM memberships"))

    def is_paused(self) -> bool:
        row = self._statements.fetch_one("SELECT value FROM settings WHERE name = 'paused'")
        return row is not None and bool(row[0])
