"""Creating and deleting prebuilds, each in one statement that checks and writes.

- A create holds its preset's row (FOR SHARE). So either a promotion waits for the create, or the create waits for the
  promotion and sees it.
- A delete locks its workspace's row, so that claims pass over it. If a claim has the row, the delete waits, and then
  sees that the workspace is no longer a prebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from psycopg.types.json import Jsonb

from prebuilds.adapters.postgres.connections.statements import Role
from prebuilds.adapters.postgres.tables.plan_reads import WORKSPACE_COLUMNS
from prebuilds.adapters.rows import Row, make_workspace
from prebuilds.decision.models import Transition
from prebuilds.runtime.models import BuildRequest, NewPrebuild, Workspace

_T = TypeVar("_T")

_INSERT_PREBUILDS = """
    INSERT INTO workspaces (
        id, name, owner_id, preset_id, template_id, parameters, created_at,
        build_id, build_transition, build_version_id, build_created_at
    )
    SELECT
        new.id, new.name, 'prebuilds', presets.id, presets.template_id, new.parameters, %(now)s::timestamptz,
        new.build_id, 'start', presets.template_version_id, %(now)s::timestamptz
    FROM unnest(
        %(ids)s::text[], %(names)s::text[], %(parameters)s::jsonb[], %(build_ids)s::text[], %(preset_ids)s::text[],
        %(version_ids)s::text[]
    ) AS new (id, name, parameters, build_id, preset_id, version_id)
    JOIN presets ON presets.id = new.preset_id AND presets.template_version_id = new.version_id
    WHERE presets.is_wanted AND NOT EXISTS (SELECT FROM builds WHERE builds.id = new.build_id)
    FOR SHARE OF presets
    ON CONFLICT DO NOTHING
    RETURNING build_id
"""
_WITHDRAW = """
    DELETE FROM workspaces
    WHERE build_id = ANY(%(ids)s::text[]) AND owner_id = 'prebuilds' AND NOT deleted
    AND build_number = 1 AND build_transition = 'start' AND build_status = 'pending' AND NOT build_submitted
"""
_INSERT_DELETES = """
    UPDATE workspaces SET
        build_id = new.build_id, build_number = build_number + 1, build_transition = 'delete',
        build_status = 'pending', build_created_at = %(now)s, build_finished_at = NULL, build_submitted = false,
        build_failure = 'transient', build_message = ''
    FROM unnest(%(ids)s::text[], %(build_ids)s::text[]) AS new (id, build_id)
    WHERE workspaces.id = new.id AND owner_id = 'prebuilds' AND NOT deleted
    AND build_status NOT IN ('pending', 'running')
    AND NOT EXISTS (SELECT FROM builds WHERE builds.id = new.build_id)
    AND NOT EXISTS (SELECT FROM workspaces AS other WHERE other.build_id = new.build_id)
    RETURNING workspaces.build_id, workspaces.build_version_id
"""
_INSERT_FAILED = """
    INSERT INTO builds (
        id, number, preset_id, transition, status, template_version_id, created_at, finished_at, message
    )
    SELECT
        %(id)s, 1, %(preset_id)s, 'start', 'failed', %(version_id)s, %(begun_at)s::timestamptz, %(now)s::timestamptz,
        %(message)s
    WHERE NOT EXISTS (SELECT FROM workspaces WHERE build_id = %(id)s)
    ON CONFLICT DO NOTHING
"""
NOTE_ENDED = """
    INSERT INTO builds (
        id, workspace_id, number, preset_id, transition, status, template_version_id, created_at, finished_at,
        failure, message
    )
    SELECT
        build_id, id, build_number, preset_id, build_transition, build_status, build_version_id,
        build_created_at, build_finished_at, build_failure, build_message
    FROM ended
"""
_CANCEL_PENDING = f"""
    WITH preset AS MATERIALIZED (
        SELECT id FROM presets WHERE id = %(preset_id)s AND NOT is_wanted FOR SHARE
    ), ended AS (
        UPDATE workspaces
        SET build_status = 'canceled', build_finished_at = greatest(%(now)s, build_created_at), deleted = true
        WHERE preset_id = (SELECT id FROM preset) AND owner_id = 'prebuilds' AND NOT deleted
        AND build_number = 1 AND build_transition = 'start' AND build_status = 'pending'
        RETURNING *
    ), noted AS ({NOTE_ENDED})
    SELECT id FROM ended
"""

_RETIRE = f"""
    UPDATE workspaces SET retired = true, ready = false
    WHERE id = %(id)s AND owner_id = 'prebuilds' AND NOT deleted AND NOT retired
    RETURNING {WORKSPACE_COLUMNS}
"""
_RELEASE = f"""
    UPDATE workspaces SET owner_id = 'prebuilds', name = %(name)s, retired = true, ready = false
    WHERE id = %(id)s AND owner_id <> 'prebuilds' AND NOT deleted
    RETURNING {WORKSPACE_COLUMNS}
"""
_FORGET = f"""
    UPDATE workspaces SET deleted = true WHERE id = %(id)s AND owner_id <> 'prebuilds' AND NOT deleted
    RETURNING {WORKSPACE_COLUMNS}
"""


class WorkspaceRows(Role):
    """The role `WorkspaceWrites`."""

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        row = self._statements.fetch_one(
            f"SELECT {WORKSPACE_COLUMNS} FROM workspaces WHERE id = %(id)s", id=workspace_id
        )
        return make_workspace(row) if row else None

    def insert_prebuilds(self, prebuilds: Sequence[NewPrebuild], *, now: datetime) -> Sequence[str]:
        prebuilds = _select_first(prebuilds, lambda new: new.request)
        requests = [new.request for new in prebuilds]
        rows = self._statements.write_text(
            _INSERT_PREBUILDS,
            now=now,
            ids=[request.workspace_id for request in requests],
            names=[new.name for new in prebuilds],
            parameters=[Jsonb(dict(request.parameters)) for request in requests],
            build_ids=[request.build_id for request in requests],
            preset_ids=[request.preset_id for request in requests],
            version_ids=[request.template_version_id for request in requests],
        )
        added = {build_id for (build_id,) in rows}
        return tuple(request.build_id for request in requests if request.build_id in added)

    def withdraw_prebuilds(self, build_ids: Sequence[str]) -> None:
        self._statements.write_next(_WITHDRAW, ids=list(build_ids))

    def insert_deletes(self, requests: Sequence[BuildRequest], *, now: datetime) -> Mapping[str, str]:
        requests = _select_first(requests, lambda request: request)
        ids = [request.workspace_id for request in requests]
        build_ids = [request.build_id for request in requests]
        rows = self._statements.write_text(_INSERT_DELETES, ids=ids, build_ids=build_ids, now=now)
        versions: dict[str, str] = dict(rows)
        return {request.build_id: versions[request.build_id] for request in requests if request.build_id in versions}

    def insert_failed_build(
        self, request: BuildRequest, *, now: datetime, begun_at: datetime | None = None, message: str = ""
    ) -> None:
        if request.transition is Transition.START:
            self._statements.write_next(
                _INSERT_FAILED,
                id=request.build_id,
                preset_id=request.preset_id,
                version_id=request.template_version_id,
                begun_at=now if begun_at is None else begun_at,
                now=now,
                message=message,
            )

    def cancel_pending(self, preset_id: str, *, now: datetime) -> Sequence[str]:
        rows = self._statements.write(_CANCEL_PENDING, preset_id=preset_id, now=now)
        return tuple(workspace_id for (workspace_id,) in rows)

    def retire_prebuild(self, workspace_id: str) -> Workspace | None:
        return make_first(self._statements.write(_RETIRE, id=workspace_id))

    def release_workspace(self, workspace_id: str, *, name: str) -> Workspace | None:
        return make_first(self._statements.write(_RELEASE, id=workspace_id, name=name))

    def forget_workspace(self, workspace_id: str) -> Workspace | None:
        return make_first(self._statements.write(_FORGET, id=workspace_id))


def _select_first(items: Sequence[_T], get_request: Callable[[_T], BuildRequest]) -> Sequence[_T]:
    """The items whose request is the first with its workspace and with its build."""
    by_workspace = {get_request(item).workspace_id: item for item in reversed(items)}
    by_build = {get_request(item).build_id: item for item in by_workspace.values()}
    return tuple(by_build.values())[::-1]


def make_first(rows: Sequence[Row]) -> Workspace | None:
    """The workspace in the row that a statement returned; None if it wrote to none."""
    return make_workspace(rows[0]) if rows else None
