"""Creating and deleting prebuilds. No one else writes meanwhile, so what was checked still holds at the commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from prebuilds.adapters.sqlite.connections.statements import Role, Statements
from prebuilds.adapters.sqlite.tables.plan_reads import find_preset
from prebuilds.adapters.sqlite.tables.rows import (
    SELECT_WORKSPACES,
    check_instant,
    read_workspace,
    write_instant,
    write_optional_instant,
    write_parameters,
)
from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.runtime.fleet_rows import hash_preset
from prebuilds.runtime.models import BuildRequest, Workspace, WorkspaceBuild
from prebuilds.runtime.workspace_rules import (
    end_build,
    forget_workspace,
    make_build,
    make_prebuild,
    release_workspace,
    retire_prebuild,
)

_INSERT_WORKSPACE = """
    INSERT INTO workspaces (
        id, name, owner_id, preset_id, preset_hash, template_id, parameters, created_at, ready, deleted,
        failed_deletes, last_number
    )
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE_WORKSPACE = """
    UPDATE workspaces SET name = ?, owner_id = ?, ready = ?, retired = ?, deleted = ?, failed_deletes = ? WHERE id = ?
"""
_INSERT_BUILD = """
    INSERT INTO builds
        (id, workspace_id, number, preset_id, transition, status, template_version_id, created_at, finished_at,
        submitted)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_FAILED = """
    INSERT INTO builds
        (id, number, preset_id, transition, status, template_version_id, created_at, finished_at, submitted, message)
    VALUES (?, 1, ?, 'start', 'failed', ?, ?, ?, 0, ?)
"""
_PENDING = f"""
    {SELECT_WORKSPACES}
    WHERE workspaces.owner_id = 'prebuilds' AND workspaces.deleted = 0 AND workspaces.preset_id = ?
    AND builds.number = 1 AND builds.transition = 'start' AND builds.status = 'pending'
"""


class WorkspaceRows(Role):
    """The role `WorkspaceWrites`."""

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        return find_workspace(self._statements, workspace_id)

    def insert_prebuild(self, request: BuildRequest, *, name: str, now: datetime) -> bool:
        preset = find_preset(self._statements, request.preset_id) if request.preset_id else None
        if preset is None or not preset.is_active or preset.template_version.id != request.template_version_id:
            return False
        if self.get_workspace(request.workspace_id) or self._has_build(request.build_id):
            return False
        workspace = make_prebuild(request, preset, name=name, now=now)
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

    def insert_failed_build(
        self, request: BuildRequest, *, now: datetime, begun_at: datetime | None = None, message: str = ""
    ) -> None:
        if request.transition is Transition.START and not self._has_build(request.build_id):
            instants = (write_instant("begun_at", now if begun_at is None else begun_at), write_instant("now", now))
            parts = (request.build_id, request.preset_id, request.template_version_id)
            self._statements.run(_INSERT_FAILED, *parts, *instants, message)

    def cancel_pending(self, preset_id: str, *, now: datetime) -> Sequence[str]:
        preset = find_preset(self._statements, preset_id)
        if preset is None or preset.is_active:
            return ()
        pending = [read_workspace(row) for row in self._statements.fetch(_PENDING, preset_id)]
        for workspace in pending:
            ended = end_build(workspace, BuildStatus.CANCELED, now=check_instant("now", now))
            update_build(self._statements, ended)
            update_workspace(self._statements, ended and attrs.evolve(ended, deleted=True))
        return tuple(workspace.id for workspace in pending)

    def retire_prebuild(self, workspace_id: str) -> Workspace | None:
        workspace = self.get_workspace(workspace_id)
        return update_workspace(self._statements, workspace and retire_prebuild(workspace))

    def release_workspace(self, workspace_id: str, *, name: str) -> Workspace | None:
        workspace = self.get_workspace(workspace_id)
        return update_workspace(self._statements, workspace and release_workspace(workspace, name=name))

    def forget_workspace(self, workspace_id: str) -> Workspace | None:
        workspace = self.get_workspace(workspace_id)
        return update_workspace(self._statements, workspace and forget_workspace(workspace))

    def _has_build(self, build_id: str) -> bool:
        return self._statements.has("SELECT 1 FROM builds WHERE id = ?", build_id)

    def _insert_workspace(self, workspace: Workspace) -> None:
        self._statements.run(
            _INSERT_WORKSPACE,
            workspace.id,
            workspace.name,
            workspace.owner_id,
            workspace.preset_id,
            hash_preset(workspace.preset_id),
            workspace.template_id,
            write_parameters(workspace.parameters or ()),
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


def update_workspace(statements: Statements, changed: Workspace | None) -> Workspace | None:
    """Store and return the workspace that a guard returned; None if the guard refused the change."""
    if changed:
        state = (changed.ready, changed.retired, changed.deleted, changed.failed_deletes)
        statements.run(_UPDATE_WORKSPACE, changed.name, changed.owner_id, *state, changed.id)
    return changed


def update_build(statements: Statements, changed: Workspace | None) -> None:
    """Store the last build of the workspace that a guard returned, unless the guard refused the change."""
    if changed:
        build = changed.last_build
        ended_at = write_optional_instant("finished_at", build.finished_at)
        sql = "UPDATE builds SET status = ?, finished_at = ?, failure = ?, message = ? WHERE id = ?"
        statements.run(sql, build.status.value, ended_at, build.failure.value, build.message, build.id)
