"""Creating and deleting prebuilds over rows: what is compared is locked until the commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import attrs

from prebuilds.decision.models import BuildStatus
from prebuilds.runtime.batch_rules import add_deletes, make_prebuilds
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.models import BuildRequest, NewPrebuild, Workspace
from prebuilds.runtime.row_transactions.role import RowRole
from prebuilds.runtime.workspace_rules import (
    cancel_start,
    forget_workspace,
    is_withdrawable,
    make_build,
    make_outcome,
    release_workspace,
    retire_prebuild,
)


class RowWorkspaceWrites(RowRole):
    """The role `WorkspaceWrites`."""

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        return next(iter(self.rows.get_workspaces([workspace_id])), None)

    def insert_prebuilds(self, prebuilds: Sequence[NewPrebuild], *, now: datetime) -> Sequence[str]:
        requests = [new.request for new in prebuilds]
        preset_ids = dict.fromkeys(request.preset_id or "" for request in requests)
        made = make_prebuilds(
            prebuilds,
            {preset_id: self._written.lock_preset(preset_id) for preset_id in preset_ids},
            workspace_ids=[row.id for row in self.rows.get_workspaces([request.workspace_id for request in requests])],
            build_ids=self.rows.find_builds([request.build_id for request in requests]),
            now=now,
        )
        self.rows.put_workspaces(made)
        return tuple(row.last_build.id for row in made)

    def withdraw_prebuilds(self, build_ids: Sequence[str]) -> None:
        rows = self._lock_by_builds(build_ids)
        self.rows.remove_workspaces([row for row in rows if is_withdrawable(row)])

    def insert_deletes(self, requests: Sequence[BuildRequest], *, now: datetime) -> Mapping[str, str]:
        rows = self._written.get_workspaces([request.workspace_id for request in requests], lock=True)
        known = self.rows.find_builds([request.build_id for request in requests])
        changed = add_deletes(requests, rows, build_ids=known, now=now)
        self.rows.put_workspaces(changed)
        return {row.last_build.id: row.last_build.template_version_id for row in changed}

    def insert_failed_build(
        self, request: BuildRequest, *, now: datetime, begun_at: datetime | None = None, message: str = ""
    ) -> None:
        if request.preset_id is not None and not self._written.find_builds([request.build_id]):
            begun = make_build(request, None, now=now if begun_at is None else begun_at)
            build = attrs.evolve(begun, status=BuildStatus.FAILED, finished_at=now, message=message)
            self.rows.add_outcomes([make_outcome(request.preset_id, build)])

    def cancel_pending(self, preset_id: str, *, now: datetime) -> Sequence[str]:
        preset = self._written.lock_preset(preset_id)
        if preset is None or preset.is_wanted:
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
