"""Creating and deleting prebuilds. Nobody else writes meanwhile, so that what was looked at holds until the commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.adapters.sqlite.fleet import find_preset
from prebuilds.adapters.sqlite.rows import SELECT_WORKSPACES, read_workspace, write_instant, write_optional_instant
from prebuilds.adapters.sqlite.statements import Statements
from prebuilds.decision.models import Transition
from prebuilds.runtime.building import make_build
from prebuilds.runtime.models import BuildRequest, Workspace, WorkspaceBuild

_INSERT_WORKSPACE = """
    INSERT INTO workspaces
        (id, name, owner_id, preset_id, template_id, created_at, ready, deleted, failed_deletes, last_number)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_BUILD = """
    INSERT INTO builds
        (id, workspace_id, number, preset_id, transition, status, template_version_id, created_at, finished_at,
        submitted)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_FAILED = """
    INSERT INTO builds
        (id, number, preset_id, transition, status, template_version_id, created_at, finished_at, submitted)
    VALUES (?, 1, ?, 'start', 'failed', ?, ?, ?, 0)
"""
_PENDING = f"""
    {SELECT_WORKSPACES}
    WHERE workspaces.owner_id = 'prebuilds' AND workspaces.deleted = 0 AND workspaces.preset_id = ?
    AND builds.number = 1 AND builds.transition = 'start' AND builds.status = 'pending'
"""


class WorkspaceRows:
    """The role `WorkspaceWrites`."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        return find_workspace(self._statements, workspace_id)

    def insert_prebuild(self, request: BuildRequest, *, name: str, now: datetime) -> bool:
        preset = find_preset(self._statements, request.preset_id) if request.preset_id else None
        if preset is None or not preset.is_active or preset.template_version.id != request.template_version_id:
            return False
        if self.get_workspace(request.workspace_id) or self._has_build(request.build_id):
            return False
        workspace = Workspace(
            id=request.workspace_id,
            name=name,
            preset_id=preset.id,
            template_id=preset.template_version.template.id,
            created_at=now,
            last_build=make_build(request, None, now=now),
        )
        self._insert_workspace(workspace)
        self._insert_build(workspace, workspace.last_build)
        return True

    def insert_delete(self, request: BuildRequest, *, now: datetime) -> bool:
        workspace = self.get_workspace(request.workspace_id)
        if workspace is None or workspace.deleted or not workspace.is_prebuild:
            return False
        if not workspace.last_build.status.is_final or self._has_build(request.build_id):
            return False
        build = make_build(request, workspace.last_build, now=now)
        self._insert_build(workspace, build)
        self._statements.run("UPDATE workspaces SET last_number = ? WHERE id = ?", build.number, workspace.id)
        return True

    def insert_failed_build(self, request: BuildRequest, *, now: datetime) -> None:
        if request.transition is Transition.START and not self._has_build(request.build_id):
            at = write_instant("now", now)
            parts = (request.build_id, request.preset_id, request.template_version_id)
            self._statements.run(_INSERT_FAILED, *parts, at, at)

    def cancel_pending(self, preset_id: str, *, now: datetime) -> Sequence[str]:
        preset = find_preset(self._statements, preset_id)
        if preset is None or preset.is_active:
            return ()
        pending = [read_workspace(row) for row in self._statements.fetch(_PENDING, preset_id)]
        for workspace in pending:
            end_build(self._statements, workspace.last_build.id, "canceled", now)
            self._statements.run("UPDATE workspaces SET deleted = 1 WHERE id = ?", workspace.id)
        return tuple(workspace.id for workspace in pending)

    def _has_build(self, build_id: str) -> bool:
        return self._statements.has("SELECT 1 FROM builds WHERE id = ?", build_id)

    def _insert_workspace(self, workspace: Workspace) -> None:
        self._statements.run(
            _INSERT_WORKSPACE,
            workspace.id,
            workspace.name,
            workspace.owner_id,
            workspace.preset_id,
            workspace.template_id,
            write_instant("created_at", workspace.created_at),
            workspace.ready,
            workspace.deleted,
            workspace.failed_deletes,
            workspace.last_build.number,
        )

    def _insert_build(self, workspace: Workspace, build: WorkspaceBuild) -> None:
        self._statements.run(
            _INSERT_BUILD,
            build.id,
            workspace.id,
            build.number,
            workspace.preset_id,
            build.transition.value,
            build.status.value,
            build.template_version_id,
            write_instant("created_at", build.created_at),
            write_optional_instant("finished_at", build.finished_at),
            build.submitted,
        )


def find_workspace(statements: Statements, workspace_id: str) -> Workspace | None:
    """The workspace with this id."""
    row = statements.fetch_one(f"{SELECT_WORKSPACES} WHERE workspaces.id = ?", workspace_id)
    return read_workspace(row) if row else None


def end_build(statements: Statements, build_id: str, status: str, now: datetime) -> bool:
    """Move a build that has not ended to this status; False if there is none. No build ends before it was created."""
    sql = """
        UPDATE builds SET status = ?, finished_at = max(created_at, ?)
        WHERE id = ? AND status IN ('pending', 'running')
    """
    return statements.run(sql, status, write_instant("now", now), build_id) == 1
