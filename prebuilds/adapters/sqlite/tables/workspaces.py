"""Creating and deleting prebuilds. No one else writes meanwhile, so what was checked still holds at the commit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from prebuilds.adapters.sqlite.connections.statements import Role, Statements
from prebuilds.adapters.sqlite.tables.plan_reads import find_preset
from prebuilds.adapters.sqlite.tables.rows import (
    EACH,
    SELECT_WORKSPACES,
    check_instant,
    read_workspace,
    write_instant,
    write_optional_instant,
    write_parameters,
)
from prebuilds.decision.models import Transition
from prebuilds.runtime.batch_rules import add_deletes, make_prebuilds
from prebuilds.runtime.fleet_rows import hash_preset
from prebuilds.runtime.models import BuildRequest, NewPrebuild, Workspace
from prebuilds.runtime.workspace_rules import cancel_start, forget_workspace, release_workspace, retire_prebuild

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

_HAVE_IDS = f"SELECT id FROM workspaces WHERE id IN ({EACH})"
_HAVE_BUILDS = f"SELECT id FROM builds WHERE id IN ({EACH})"
_UNSUBMITTED = f"id IN ({EACH}) AND number = 1 AND transition = 'start' AND status = 'pending' AND submitted = 0"
_WITHDRAW = (
    "DELETE FROM workspaces WHERE owner_id = 'prebuilds' AND deleted = 0"
    f" AND id IN (SELECT workspace_id FROM builds WHERE {_UNSUBMITTED})",
    f"DELETE FROM builds WHERE {_UNSUBMITTED} AND workspace_id NOT IN (SELECT id FROM workspaces)",
)


class WorkspaceRows(Role):
    """The role `WorkspaceWrites`."""

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        return find_workspace(self._statements, workspace_id)

    def insert_prebuilds(self, prebuilds: Sequence[NewPrebuild], *, now: datetime) -> Sequence[str]:
        requests = [new.request for new in prebuilds]
        preset_ids = dict.fromkeys(request.preset_id or "" for request in requests)
        made = make_prebuilds(
            prebuilds,
            {preset_id: find_preset(self._statements, preset_id) for preset_id in preset_ids},
            workspace_ids=self._find_ids(_HAVE_IDS, [request.workspace_id for request in requests]),
            build_ids=self._find_ids(_HAVE_BUILDS, [request.build_id for request in requests]),
            now=check_instant("now", now),
        )
        self._statements.run_all(_INSERT_WORKSPACE, map(_flatten_workspace, made))
        self._statements.run_all(_INSERT_BUILD, map(_flatten_build, made))
        return tuple(workspace.last_build.id for workspace in made)

    def withdraw_prebuilds(self, build_ids: Sequence[str]) -> None:
        for sql in _WITHDRAW:
            self._statements.run(sql, json.dumps(list(build_ids)))

    def insert_deletes(self, requests: Sequence[BuildRequest], *, now: datetime) -> Mapping[str, str]:
        ids = json.dumps([request.workspace_id for request in requests])
        rows = self._statements.fetch(f"{SELECT_WORKSPACES} WHERE workspaces.id IN ({EACH})", ids)
        known = self._find_ids(_HAVE_BUILDS, [request.build_id for request in requests])
        changed = add_deletes(requests, map(read_workspace, rows), build_ids=known, now=check_instant("now", now))
        self._statements.run_all(_INSERT_BUILD, map(_flatten_build, changed))
        numbers = [(workspace.last_build.number, workspace.id) for workspace in changed]
        self._statements.run_all("UPDATE workspaces SET last_number = ? WHERE id = ?", numbers)
        return {workspace.last_build.id: workspace.last_build.template_version_id for workspace in changed}

    def _find_ids(self, sql: str, ids: Sequence[str]) -> set[str]:
        return {name for (name,) in self._statements.fetch(sql, json.dumps(list(ids)))}

    def insert_failed_build(
        self, request: BuildRequest, *, now: datetime, begun_at: datetime | None = None, message: str = ""
    ) -> None:
        if request.transition is Transition.START and not self._has_build(request.build_id):
            instants = (write_instant("begun_at", now if begun_at is None else begun_at), write_instant("now", now))
            parts = (request.build_id, request.preset_id, request.template_version_id)
            self._statements.run(_INSERT_FAILED, *parts, *instants, message)

    def cancel_pending(self, preset_id: str, *, now: datetime) -> Sequence[str]:
        preset = find_preset(self._statements, preset_id)
        if preset is None or preset.is_wanted:
            return ()
        pending = [read_workspace(row) for row in self._statements.fetch(_PENDING, preset_id)]
        for workspace in pending:
            canceled = cancel_start(workspace, now=check_instant("now", now))
            update_build(self._statements, canceled)
            update_workspace(self._statements, canceled)
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


def _flatten_workspace(workspace: Workspace) -> tuple[object, ...]:
    return (
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


def _flatten_build(workspace: Workspace) -> tuple[object, ...]:
    build = workspace.last_build
    return (
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
