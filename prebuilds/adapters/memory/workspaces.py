"""Writing workspaces, their builds and their owners in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from prebuilds.adapters.memory.role import Role
from prebuilds.decision.models import Build, BuildStatus, Transition
from prebuilds.errors import ClaimConflictError, NameTakenError
from prebuilds.renames import accept_old_keywords
from prebuilds.runtime.loop.fleet import is_pending_start
from prebuilds.runtime.models import BuildRequest, ClaimOrder, ClaimRequest, Workspace, WorkspaceBuild
from prebuilds.runtime.workspace_rules import (
    end_build,
    forget_workspace,
    is_claimable,
    make_build,
    make_outcome,
    make_prebuild,
    make_ready,
    make_unready,
    release_workspace,
    retire_prebuild,
)


class Workspaces(Role):
    """Prebuilds, from the request to the claim or the end."""

    def insert_prebuild(self, request: BuildRequest, *, name: str, now: datetime) -> bool:
        preset = self.tables.presets.get(request.preset_id or "")
        if preset is None or not preset.is_active or preset.template_version.id != request.template_version_id:
            return False
        if request.workspace_id in self.tables.workspaces or request.build_id in self.tables.builds:
            return False
        self._put(make_prebuild(request, preset, name=name, now=now))
        return True

    def insert_delete(self, request: BuildRequest, *, now: datetime) -> bool:
        workspace = self.tables.workspaces.get(request.workspace_id)
        if workspace is None or workspace.deleted or not workspace.is_prebuild:
            return False
        if not workspace.last_build.status.is_final or request.build_id in self.tables.builds:
            return False
        self._put(attrs.evolve(workspace, last_build=make_build(request, workspace.last_build, now=now)))
        return True

    def insert_failed_build(self, request: BuildRequest, *, now: datetime) -> None:
        if request.build_id not in self.tables.builds and request.preset_id is not None:
            self._own("builds").builds[request.build_id] = None
            begun = make_build(request, None, now=now)
            build = attrs.evolve(begun, status=BuildStatus.FAILED, finished_at=now)
            self._add_outcome(request.preset_id, build)

    def cancel_pending(self, preset_id: str, *, now: datetime) -> Sequence[str]:
        preset = self.tables.presets.get(preset_id)
        if preset is None or preset.is_active:
            return ()
        canceled = [workspace for workspace in self.tables.workspaces.values() if _is_pending(workspace, preset_id)]
        for workspace in canceled:
            ended = end_build(workspace, BuildStatus.CANCELED, now=now)
            self._put_changed(ended and attrs.evolve(ended, deleted=True))
        return tuple(workspace.id for workspace in canceled)

    def retire_prebuild(self, workspace_id: str) -> Workspace | None:
        workspace = self.tables.workspaces.get(workspace_id)
        return self._put_changed(workspace and retire_prebuild(workspace))

    def release_workspace(self, workspace_id: str, *, name: str) -> Workspace | None:
        workspace = self.tables.workspaces.get(workspace_id)
        return self._put_changed(workspace and release_workspace(workspace, name=name))

    def forget_workspace(self, workspace_id: str) -> Workspace | None:
        workspace = self.tables.workspaces.get(workspace_id)
        return self._put_changed(workspace and forget_workspace(workspace))

    def mark_submitted(self, build_id: str) -> None:
        workspace = self._find_by_build(build_id)
        if workspace:
            self._put(attrs.evolve(workspace, last_build=attrs.evolve(workspace.last_build, submitted=True)))

    def begin_build(self, build_id: str, *, now: datetime) -> bool:  # noqa: ARG002 - no table has it
        workspace = self._find_by_build(build_id)
        if workspace is None or workspace.last_build.status is not BuildStatus.PENDING:
            return False
        build = attrs.evolve(workspace.last_build, status=BuildStatus.RUNNING)
        self._put(attrs.evolve(workspace, last_build=build))
        return True

    def finish_build(self, build_id: str, status: BuildStatus, *, now: datetime) -> Workspace | None:
        workspace = self._find_by_build(build_id)
        finished = self._put_changed(workspace and end_build(workspace, status, now=now))
        if finished and finished.last_build.transition is Transition.START and status is not BuildStatus.CANCELED:
            self._add_outcome(finished.preset_id, finished.last_build)
        return finished

    def mark_ready(self, workspace_id: str) -> Workspace | None:
        workspace = self.tables.workspaces.get(workspace_id)
        return self._put_changed(workspace and make_ready(workspace))

    def mark_unready(self, workspace_id: str) -> Workspace | None:
        workspace = self.tables.workspaces.get(workspace_id)
        return self._put_changed(workspace and make_unready(workspace))

    @accept_old_keywords(take="request")
    def take_prebuild(self, request: ClaimRequest) -> Workspace | None:
        if request.request_id is not None and request.request_id in self.tables.claims:
            raise ClaimConflictError(request.request_id)
        preset = self.tables.presets.get(request.preset_id)
        rows = self.tables.workspaces.values()
        found = [row for row in rows if preset and is_claimable(row, preset, request.created_since)]
        if not found:
            return None
        if any(_is_named(row, request) for row in rows):
            raise NameTakenError(request.owner_id, request.name)
        choose = min if request.order is ClaimOrder.OLDEST_FIRST else max
        taken = attrs.evolve(choose(found, key=_rank), owner_id=request.owner_id, name=request.name)
        self._put(taken)
        if request.request_id is not None:
            self._own("claims").claims[request.request_id] = (request, taken.id)
        return taken

    def _put(self, workspace: Workspace) -> None:
        tables = self._own("workspaces", "builds")
        tables.workspaces[workspace.id] = workspace
        tables.builds[workspace.last_build.id] = workspace.id

    def _put_changed(self, changed: Workspace | None) -> Workspace | None:
        """Store the workspace that a guard returned, unless the guard refused the change."""
        if changed:
            self._put(changed)
        return changed

    def _find_by_build(self, build_id: str) -> Workspace | None:
        """The workspace whose last build this is. Earlier builds have ended and change no more."""
        workspace = self.tables.workspaces.get(self.tables.builds.get(build_id) or "")
        return workspace if workspace and workspace.last_build.id == build_id else None

    def _add_outcome(self, preset_id: str, build: WorkspaceBuild) -> None:
        outcomes = self._own("outcomes").outcomes
        known = (*outcomes.get(preset_id, ()), make_outcome(preset_id, build))
        outcomes[preset_id] = tuple(sorted(known, key=_get_end))  # reports may come late


def _is_pending(workspace: Workspace, preset_id: str) -> bool:
    return workspace.preset_id == preset_id and workspace.is_prebuild and is_pending_start(workspace)


def _is_named(workspace: Workspace, request: ClaimRequest) -> bool:
    return not workspace.deleted and (workspace.owner_id, workspace.name) == (request.owner_id, request.name)


def _get_end(build: Build) -> datetime:
    return build.finished_at or build.created_at


def _rank(workspace: Workspace) -> tuple[datetime, str]:
    return workspace.created_at, workspace.id
