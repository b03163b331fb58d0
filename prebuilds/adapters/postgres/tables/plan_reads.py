"""Reading what a plan is made of. An index serves each query, so that a long history costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any

from prebuilds.adapters.postgres.connections.statements import Role
from prebuilds.adapters.queries import HAS_FAILED, LATER_OUTCOME_COLUMNS, PlanQueries, list_counted_versions
from prebuilds.adapters.rows import (
    BUDGET_COLUMNS,
    PRESET_COLUMNS,
    REMEMBERED,
    make_budget,
    make_outcome,
    make_preset,
    make_workspace,
)
from prebuilds.decision.models import Preset
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection

WORKSPACE_COLUMNS = """
    id, name, owner_id, preset_id, template_id, parameters, created_at, ready, retired, deleted, failed_deletes,
    build_id, build_number, build_transition, build_status, build_version_id, build_created_at, build_finished_at,
    build_submitted, build_failure, build_message
"""

_JSON = ("schedules", "parameters", "options")
_LISTED = ", ".join(f"{name}::text" if name in _JSON else name for name in PRESET_COLUMNS)
PRESETS = f"SELECT {_LISTED} FROM presets"
PREBUILDS = f"SELECT {WORKSPACE_COLUMNS} FROM workspaces WHERE owner_id = 'prebuilds' AND NOT deleted"
RESETS = "SELECT id, reset_at FROM presets WHERE reset_at IS NOT NULL"

_OUTCOME = "builds.transition = 'start' AND builds.status IN ('succeeded', 'failed')"
_FLEET = "SELECT id, template_version_id AS version, coalesce(reset_at, '-infinity') AS reset_at FROM presets"
# Most presets of a large fleet have no history. One look at an index leaves each of them out.
_HAS_ENDED = f"(SELECT max(finished_at) FROM builds WHERE builds.preset_id = presets.id AND {_OUTCOME}) IS NOT NULL"


def _list_outcomes(fleet: str) -> str:
    return f"""
    WITH RECURSIVE {list_counted_versions(fleet, _OUTCOME)}
    -- First the latest attempts of each version that ended before the instant, then all builds that ended since.
    SELECT outcomes.id, {LATER_OUTCOME_COLUMNS}
    FROM counted CROSS JOIN LATERAL (
        SELECT * FROM builds
        WHERE builds.preset_id = counted.id AND builds.template_version_id = counted.version AND {_OUTCOME}
        AND builds.created_at > counted.reset_at AND builds.created_at >= coalesce((
            SELECT DISTINCT latest.created_at FROM builds AS latest
            WHERE latest.preset_id = counted.id AND latest.template_version_id = counted.version
            AND latest.transition = 'start' AND latest.status IN ('succeeded', 'failed')
            AND latest.failure <> 'capacity'
            ORDER BY latest.created_at DESC LIMIT 1 OFFSET greatest(%(latest)s - 1, 0)
        ), '-infinity')
        AND builds.finished_at < %(since)s
        OFFSET 0 -- so that each is looked up, however many the planner expects
    ) AS outcomes
    WHERE %(latest)s > 0
    UNION ALL
    SELECT outcomes.id, {LATER_OUTCOME_COLUMNS}
    FROM fleet CROSS JOIN LATERAL (
        SELECT * FROM builds
        WHERE builds.preset_id = fleet.id AND {_OUTCOME} AND builds.finished_at >= %(since)s
        AND builds.created_at > fleet.reset_at
        AND (fleet.version = '' OR builds.template_version_id IN ('', fleet.version))
    ) AS outcomes
    """


def _make_queries(is_preset: str, is_prebuild: str) -> PlanQueries:
    return PlanQueries(
        presets=f"{PRESETS} WHERE {is_preset} ORDER BY id",
        prebuilds=f"{PREBUILDS} AND {is_prebuild}",
        outcomes=_list_outcomes(f"{_FLEET} WHERE {_HAS_ENDED} AND {is_preset}"),
        failing=_list_outcomes(f"{_FLEET} WHERE {HAS_FAILED} AND {is_preset}"),
        resets=f"{RESETS} AND {is_preset}",
    )


_IN_SHARD = "preset_hash %% %(count)s = %(index)s"

OF_ALL = _make_queries("true", "true")
OF_SOME = _make_queries("id = ANY (%(names)s)", "preset_id = ANY (%(names)s)")
OF_SHARD = _make_queries(_IN_SHARD, _IN_SHARD)

_read_preset = lru_cache(REMEMBERED)(make_preset)

_MEMBERSHIPS = "SELECT organization_id FROM memberships"
_BUDGETS = f"SELECT {', '.join(BUDGET_COLUMNS)} FROM budgets"
_PAUSED = "SELECT 1 FROM settings WHERE name = 'paused' AND value"


class PlanReads(Role):
    """The role `FleetReads`."""

    def read_rows(
        self,
        selection: Selection = ALL_PRESETS,
        *,
        ended_since: datetime | None = None,
        latest: int = 0,
        failing_only: bool = False,
    ) -> FleetRows:
        queries, chosen = _choose_queries(selection)
        bounds = {**chosen, "since": ended_since or "infinity", "latest": latest}
        has_builds = ended_since is not None or latest > 0
        presets, prebuilds, resets, memberships, budgets, paused, *builds = self._statements.fetch_all(
            (queries.presets, chosen),
            (queries.prebuilds, chosen),
            (queries.resets, chosen),
            (_MEMBERSHIPS, {}),
            (_BUDGETS, {}),
            (_PAUSED, {}),
            *([(queries.failing if failing_only else queries.outcomes, bounds)] if has_builds else []),
        )
        return FleetRows(
            presets=map(_read_preset, presets),
            prebuilds=map(make_workspace, prebuilds),
            builds=map(make_outcome, chain(*builds)),
            resets=resets,
            memberships=[name for (name,) in memberships],
            budgets=map(make_budget, budgets),
            is_paused=bool(paused),
        )

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        if preset_id is None:
            rows = self._statements.fetch(OF_ALL.presets)
        else:
            rows = self._statements.fetch(f"{PRESETS} WHERE id = %(id)s", id=preset_id)
        return tuple(map(_read_preset, rows))


def _choose_queries(selection: Selection) -> tuple[PlanQueries, dict[str, Any]]:
    """The queries, and the parameters that say which presets are selected."""
    names, shard = selection.preset_ids, selection.shard
    if names is not None:
        return OF_SOME, {"names": list(filter(selection.has, names))}
    return (OF_SHARD, {"count": shard.count, "index": shard.index}) if shard else (OF_ALL, {})
