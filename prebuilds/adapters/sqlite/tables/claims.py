"""Giving a prebuild to a user. Only one transaction writes at a time; unique indexes are the safety net."""

from __future__ import annotations

from datetime import timedelta

import attrs

from prebuilds.adapters.sqlite.connections.statements import Role
from prebuilds.adapters.sqlite.tables.plan_reads import find_preset
from prebuilds.adapters.sqlite.tables.rows import (
    SELECT_WORKSPACES,
    read_take,
    read_workspace,
    write_instant,
    write_parameters,
    write_request,
)
from prebuilds.adapters.sqlite.tables.workspaces import find_workspace
from prebuilds.decision.models import Preset
from prebuilds.errors import ClaimConflictError, NameTakenError
from prebuilds.renames import accept_old_keywords
from prebuilds.runtime.models import ClaimOrder, ClaimRequest, Workspace

_CLAIM_COLUMNS = 'preset_id, created_since, "order", owner_id, name, request_id, claimed_at'
_CLAIMABLE = f"""
    {SELECT_WORKSPACES}
    WHERE workspaces.owner_id = 'prebuilds' AND workspaces.deleted = 0
    AND workspaces.preset_id = ? AND workspaces.ready = 1 AND workspaces.created_at >= coalesce(?, {-(2**63)})
    AND workspaces.retired = 0 AND builds.transition = 'start' AND builds.status = 'succeeded'
    AND (builds.template_version_id IN ('', ?) OR ? = '')
    AND (workspaces.parameters IS NULL OR workspaces.parameters = ?)
    -- Within its own ttl, as `has_outlived` calculates it.
    AND (
        ? = 0 OR ? - workspaces.created_at
        <= ? - CAST(? * (? * (hash_preset(workspaces.id) / 4294967296.0)) AS INTEGER)
    )
"""
FIRST_BY = {
    ClaimOrder.OLDEST_FIRST: f"{_CLAIMABLE} ORDER BY workspaces.created_at, workspaces.id LIMIT 1",
    ClaimOrder.NEWEST_FIRST: f"{_CLAIMABLE} ORDER BY workspaces.created_at DESC, workspaces.id DESC LIMIT 1",
}


class ClaimRows(Role):
    """The role `ClaimWrites`."""

    def find_claim(self, request_id: str) -> tuple[ClaimRequest, Workspace] | None:
        row = self._statements.fetch_one(
            f"SELECT workspace_id, {_CLAIM_COLUMNS} FROM claims WHERE request_id = ?", request_id
        )
        workspace = find_workspace(self._statements, row[0]) if row else None
        return (read_take(row[1:]), workspace) if row and workspace else None

    @accept_old_keywords(take="request")
    def take_prebuild(self, request: ClaimRequest) -> Workspace | None:
        if request.request_id is not None and self._has_claim(request.request_id):
            raise ClaimConflictError(request.request_id)
        preset = find_preset(self._statements, request.preset_id)
        workspace = self._find_claimable(request, preset) if preset and preset.is_active else None
        if workspace is None:
            return None
        if self._is_named(request):
            raise NameTakenError(request.owner_id, request.name)
        self._statements.run(
            "UPDATE workspaces SET owner_id = ?, name = ? WHERE id = ?", request.owner_id, request.name, workspace.id
        )
        if request.request_id is not None:
            self._insert_claim(request, workspace)
        return attrs.evolve(workspace, owner_id=request.owner_id, name=request.name)

    def _has_claim(self, request_id: str) -> bool:
        return self._statements.has("SELECT 1 FROM claims WHERE request_id = ?", request_id)

    def _find_claimable(self, request: ClaimRequest, preset: Preset) -> Workspace | None:
        preset_id, created_since = write_request(request)[:2]
        version, parameters = preset.template_version.id, write_parameters(preset.parameters)
        ttl, jitter = (preset.ttl or timedelta()) // timedelta.resolution, preset.ttl_jitter
        own_ttl = (ttl and jitter, write_instant("claimed_at", request.claimed_at), ttl, ttl, jitter)
        row = self._statements.fetch_one(
            FIRST_BY[request.order], preset_id, created_since, version, version, parameters, *own_ttl
        )
        return read_workspace(row) if row else None

    def _is_named(self, request: ClaimRequest) -> bool:
        sql = "SELECT 1 FROM workspaces WHERE owner_id <> 'prebuilds' AND deleted = 0 AND owner_id = ? AND name = ?"
        return self._statements.has(sql, request.owner_id, request.name)

    def _insert_claim(self, request: ClaimRequest, workspace: Workspace) -> None:
        sql = f"INSERT INTO claims ({_CLAIM_COLUMNS}, workspace_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self._statements.run(sql, *write_request(request), workspace.id)
