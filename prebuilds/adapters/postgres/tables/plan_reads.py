"""Reading what a plan is made of. An index serves each query, so that a long history costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.adapters.postgres.connections.statements import Role
from prebuilds.adapters.queries import list_counted_versions
from prebuilds.adapters.rows import PRESET_COLUMNS, make_outcome, make_preset, make_workspace
from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.models import Workspace

WORKSPACE_COLUMNS = """
    id, name, owner_id, preset_id, template_id, parameters, created_at, ready, retired, deleted, failed_deletes,
    build_id, build_number, build_transition, build_status, build_version_id, build_created_at, build_finished_at,
    build_submitted
"""

PRESETS = f"SELECT {', '.join(PRESET_COLUMNS)} FROM presets"
PREBUILDS = f"SELECT {WORKSPACE_COLUMNS} FROM workspaces WHERE owner_id = 'prebuilds' AND NOT deleted"
RESETS = "SELECT id, reset_at FROM presets WHERE reset_at IS NOT NULL"

_OUTCOME = "builds.transition = 'start' AND builds.status IN ('succeeded', 'failed')"
# Most presets of a large fleet have no history. One look at an index leaves each of them out.
_FLEET = f"""
    SELECT id, template_version_id AS version, coalesce(reset_at, '-infinity') AS reset_at FROM presets
    WHERE (SELECT max(finished_at) FROM builds WHERE builds.preset_id = presets.id AND {_OUTCOME}) IS NOT NULL
"""


def _list_outcomes(fleet: str) -> str:
    return f"""
    WITH RECURSIVE {list_counted_versions(fleet, _OUTCOME)}
    -- First the latest attempts of each version that ended before the instant, then all builds that ended since.
    SELECT outcomes.id, preset_id, template_version_id, status, created_at, finished_at
    FROM counted CROSS JOIN LATERAL (
        SELECT * FROM builds
        WHERE builds.preset_id = counted.id AND builds.template_version_id = counted.version AND {_OUTCOME}
        AND builds.created_at > counted.reset_at AND builds.created_at >= coalesce((
            SELECT DISTINCT latest.created_at FROM builds AS latest
            WHERE latest.preset_id = counted.id AND latest.template_version_id = counted.version
            AND latest.transition = 'start' AND latest.status IN ('succeeded', 'failed')
            ORDER BY latest.created_at DESC LIMIT 1 OFFSET greatest(%(latest)s - 1, 0)
        ), '-infinity')
        AND builds.finished_at < %(since)s
        OFFSET 0 -- so that each is looked up, however many the planner expects
    ) AS outcomes
    WHERE %(latest)s > 0
    UNION ALL
    SELECT outcomes.id, preset_id, template_version_id, status, created_at, finished_at
    FROM fleet CROSS JOIN LATERAL (
        SELECT * FROM builds
        WHERE builds.preset_id = fleet.id AND {_OUTCOME} AND builds.finished_at >= %(since)s
        AND builds.created_at > fleet.reset_at
        AND (fleet.version = '' OR builds.template_version_id IN ('', fleet.version))
    ) AS outcomes
    """


ALL_OUTCOMES, OUTCOMES = _list_outcomes(_FLEET), _list_outcomes(f"{_FLEET} AND id = %(preset_id)s")


class FleetRows(Role):
    """The role `FleetReads`."""

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
        if preset_id is None:
            rows = self._statements.fetch(ALL_OUTCOMES, since=ended_since, latest=latest)
        else:
            rows = self._statements.fetch(OUTCOMES, preset_id=preset_id, since=ended_since, latest=latest)
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
