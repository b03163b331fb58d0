"""Creating and deleting prebuilds over rows: what is compared is locked until the commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import attrs

from prebuilds.decision.models import BuildStatus
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.models import BuildRequest, Workspace
from prebuilds.runtime.row_transactions.role import RowRole
from prebuilds.runtime.workspace_rules import (
    add_delete,
    cancel_start,
    forget_workspace,
    is_pinned,
    make_build,
    make_outcome,
    make_prebuild,
    release_workspace,
    retire_prebuild,
)


class RowWorkspaceWrites(RowRole):
    """The role `WorkspaceWrites`."""

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        return next(iter(self.rows.get_workspaces([workspace_id])), None)

    def insert_prebuild(self, request: BuildRequest, *, name: str, now: datetime) -> bool:
        preset = self._written.lock_preset(request.preset_id or "")
        if preset is None or not is_pinned(request, preset) or self._is_known(request):
            return False
        self.rows.put_workspaces([make_prebuild(request, preset, name=name, now=now)])
        return True

    def insert_delete(self, request: BuildRequest, *, now: datetime) -> bool:
        if self.rows.find_builds([request.build_id]):
            return False
        return self._change(request.workspace_id, partial(add_delete, request=request, now=now)) is not None

    def insert_failed_build(
        self, request: BuildRequest, *, now: datetime, begun_at: datetime | None = None, message: str = ""
    ) -> None:
        if request.preset_id is not None and not self._written.find_builds([request.build_id]):
            begun = make_build(request, None, now=now if begun_at is None else begun_at)
            build = attrs.evolve(begun, status=BuildStatus.FAILED, finished_at=now, message=message)
            self.rows.add_outcomes([make_outcome(request.preset_id, build)])

    def cancel_pending(self, preset_id: str, *, now: datetime) -> Sequence[str]:
        preset = self._written.lock_preset(preset_id)
        if preset is None or preset.is_active:
            return ()
        found = [row.id for row in self.rows.read_rows(select(preset_id)).prebuilds]
        canceled = [cancel_start(row, now=now) for row in self.rows.get_workspaces(found, lock=True)]
        changed = [row for row in canceled if row]
        self.rows.put_workspaces(changed)
        return tuple(row.id for row in changed)

    def retire_prebuild(self, workspace_id: str) -> Workspace | None:
        return self._change(workspace_id, retire_prebuild)

    def release_workspace(self, workspace_id: str, *, name: str) -> Workspace | None:
        return self._change(workspace_id, partial(release_workspace, name=name))

    def forget_workspace(self, workspace_id: str) -> Workspace | None:
        return self._change(workspace_id, forget_workspace)

    def _is_known(self, request: BuildRequest) -> bool:
        """Whether there is a workspace or a build with an id of the request."""
        return bool(self.rows.get_workspaces([request.workspace_id]) or self.rows.find_builds([request.build_id]))
