"""Creating and deleting prebuilds, each in one statement that checks and writes.

- A create holds its preset's row (FOR SHARE). So either a promotion waits for the create, or the create waits for the
  promotion and sees it.
- A delete locks its workspace's row, so that claims pass over it. If a claim has the row, the delete waits, and then
  sees that the workspace is no longer a prebuild.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from prebuilds.adapters.postgres.connections.statements import Role
from prebuilds.adapters.postgres.tables.plan_reads import WORKSPACE_COLUMNS
from prebuilds.adapters.rows import Row, make_workspace
from prebuilds.decision.models import Transition
from prebuilds.runtime.models import BuildRequest, Workspace

_INSERT_PREBUILD = """
    INSERT INTO workspaces (
        id, name, owner_id, preset_id, template_id, parameters, created_at,
        build_id, build_transition, build_version_id, build_created_at
    )
    SELECT
        %(id)s, %(name)s, 'prebuilds', presets.id, presets.template_id, %(parameters)s, %(now)s::timestamptz,
        %(build_id)s, 'start', presets.template_version_id, %(now)s::timestamptz
    FROM presets
    WHERE presets.id = %(preset_id)s AND presets.is_active AND presets.template_version_id = %(version_id)s
    AND NOT EXISTS (SELECT FROM builds WHERE builds.id = %(build_id)s)
    FOR SHARE OF presets
    ON CONFLICT DO NOTHING
    RETURNING id
"""
_INSERT_DELETE = """
    UPDATE workspaces SET
        build_id = %(build_id)s, build_number = build_number + 1, build_transition = %(transition)s,
        build_status = 'pending', build_created_at = %(now)s, build_finished_at = NULL, build_submitted = false,
        build_failure = 'transient', build_message = ''
    WHERE id = %(id)s AND owner_id = 'prebuilds' AND NOT deleted AND build_status NOT IN ('pending', 'running')
    AND NOT EXISTS (SELECT FROM builds WHERE builds.id = %(build_id)s)
    AND NOT EXISTS (SELECT FROM workspaces AS other WHERE other.build_id = %(build_id)s)
    RETURNING id
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
        SELECT id FROM presets WHERE id = %(preset_id)s AND NOT is_active FOR SHARE
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

    def insert_prebuild(self, request: BuildRequest, *, name: str, now: datetime) -> bool:
        rows = self._statements.write(
            _INSERT_PREBUILD,
            id=request.workspace_id,
            name=name,
            now=now,
            build_id=request.build_id,
            preset_id=request.preset_id,
            version_id=request.template_version_id,
            parameters=Jsonb(dict(request.parameters)),
        )
        return bool(rows)

    def insert_delete(self, request: BuildRequest, *, now: datetime) -> bool:
        rows = self._statements.write(
            _INSERT_DELETE,
            id=request.workspace_id,
            build_id=request.build_id,
            transition=request.transition.value,
            now=now,
        )
        return bool(rows)

    def insert_failed_build(
        self, request: BuildRequest, *, now: datetime, begun_at: datetime | None = None, message: str = ""
    ) -> None:
        if request.transition is Transition.START:
            self._statements.write(
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


def make_first(rows: Sequence[Row]) -> Workspace | None:
    """The workspace in the row that a statement returned; None if it wrote to none."""
    return make_workspace(rows[0]) if rows else None
