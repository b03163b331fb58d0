"""Reading what a plan is made of. An index serves each query, so that a long history costs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from prebuilds.adapters.queries import HAS_FAILED, LATER_OUTCOME_COLUMNS, PlanQueries, list_counted_versions
from prebuilds.adapters.rows import BUDGET_COLUMNS, Row, make_budget
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
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection

_PRESETS = f"SELECT {LISTED_PRESET_COLUMNS} FROM presets"
_PREBUILDS = f"{SELECT_WORKSPACES} WHERE workspaces.owner_id = 'prebuilds' AND workspaces.deleted = 0"
_BUDGETS = f"SELECT {', '.join(BUDGET_COLUMNS)} FROM budgets"
_RESETS = "SELECT id, reset_at FROM presets WHERE reset_at IS NOT NULL"

_NEVER = 2**63 - 1  # later than any instant
_OUTCOME = "builds.transition = 'start' AND builds.status IN ('failed', 'succeeded')"
_FLEET = f"SELECT id, template_version_id AS version, coalesce(reset_at, {-(2**63)}) AS reset_at FROM presets"


def _list_outcomes(fleet: str) -> str:
    return f"""
    WITH RECURSIVE {list_counted_versions(fleet, _OUTCOME)}
    -- First the latest attempts of each version that ended before the instant, then all builds that ended since.
    SELECT builds.id, {LATER_OUTCOME_COLUMNS}
    FROM counted CROSS JOIN builds INDEXED BY attempts
    ON builds.preset_id = counted.id AND builds.template_version_id = counted.version
    WHERE {_OUTCOME} AND builds.created_at >= coalesce((
        SELECT DISTINCT latest.created_at FROM builds AS latest
        WHERE latest.preset_id = counted.id AND latest.template_version_id = counted.version
        AND latest.transition = 'start' AND latest.status IN ('failed', 'succeeded') AND latest.failure <> 'capacity'
        AND latest.created_at > counted.reset_at
        ORDER BY latest.created_at DESC LIMIT 1 OFFSET ?
    ), counted.reset_at + 1)
    AND builds.finished_at < ? AND ?
    UNION ALL
    SELECT builds.id, {LATER_OUTCOME_COLUMNS}
    FROM fleet CROSS JOIN builds INDEXED BY outcomes ON builds.preset_id = fleet.id
    WHERE {_OUTCOME} AND builds.finished_at >= ? AND builds.created_at > fleet.reset_at
    AND (fleet.version = '' OR builds.template_version_id IN ('', fleet.version))
    """


def _make_queries(is_preset: str, is_prebuild: str) -> PlanQueries:
    return PlanQueries(
        presets=f"{_PRESETS} WHERE {is_preset} ORDER BY id",
        prebuilds=f"{_PREBUILDS} AND {is_prebuild}",
        outcomes=_list_outcomes(f"{_FLEET} WHERE {is_preset}"),
        failing=_list_outcomes(f"{_FLEET} WHERE {is_preset} AND {HAS_FAILED}"),
        resets=f"{_RESETS} AND {is_preset}",
    )


_NAMED = "IN (SELECT value FROM json_each(?))"
_IN_SHARD = "preset_hash % ? = ?"

OF_ALL = _make_queries("true", "true")
OF_SOME = _make_queries(f"id {_NAMED}", f"workspaces.preset_id {_NAMED}")
OF_SHARD = _make_queries(
    f"id IN (SELECT id FROM presets INDEXED BY preset_shards WHERE {_IN_SHARD})",
    f"""workspaces.rowid IN (
        SELECT rowid FROM workspaces INDEXED BY prebuild_shards
        WHERE owner_id = 'prebuilds' AND deleted = 0 AND {_IN_SHARD}
    )""",
)


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
        outcomes = queries.failing if failing_only else queries.outcomes
        fetch = self._statements.fetch
        return FleetRows(
            presets=map(read_preset, fetch(queries.presets, *chosen)),
            prebuilds=map(read_workspace, fetch(queries.prebuilds, *chosen)),
            builds=self._list_builds(outcomes, chosen, ended_since, latest),
            resets=[(name, read_instant(at)) for name, at in fetch(queries.resets, *chosen)],
            memberships=[name for (name,) in fetch("SELECT organization_id FROM memberships")],
            budgets=map(make_budget, fetch(_BUDGETS)),
            is_paused=self._statements.has("SELECT 1 FROM settings WHERE name = 'paused' AND value = 1"),
        )

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        if preset_id is None:
            return tuple(map(read_preset, self._statements.fetch(OF_ALL.presets)))
        preset = find_preset(self._statements, preset_id)
        return (preset,) if preset else ()

    def _list_builds(self, outcomes: str, chosen: Row, ended_since: datetime | None, latest: int) -> Iterable[Build]:
        if ended_since is None and latest == 0:
            return ()
        since = _NEVER if ended_since is None else write_instant("ended_since", ended_since)
        return map(
            read_outcome, self._statements.fetch(outcomes, *chosen, max(latest - 1, 0), since, latest > 0, since)
        )


def _choose_queries(selection: Selection) -> tuple[PlanQueries, Row]:
    """The queries, and the parameters that say which presets are selected."""
    names, shard = selection.preset_ids, selection.shard
    if names is not None:
        return OF_SOME, (json.dumps(sorted(filter(selection.has, names))),)
    return (OF_SHARD, (shard.count, shard.index)) if shard else (OF_ALL, ())


def find_preset(statements: Statements, preset_id: str) -> Preset | None:
    """The preset with this id."""
    row = statements.fetch_one(f"{_PRESETS} WHERE id = ?", preset_id)
    return read_preset(row) if row else None
