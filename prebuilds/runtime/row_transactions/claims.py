"""Giving prebuilds to users over rows."""

from __future__ import annotations

from prebuilds.errors import ClaimConflictError, NameTakenError
from prebuilds.renames import accept_old_keywords
from prebuilds.runtime.models import ClaimRequest, Workspace
from prebuilds.runtime.row_transactions.role import RowRole
from prebuilds.runtime.workspace_rules import take_workspace


class RowClaimWrites(RowRole):
    """The role `ClaimWrites`."""

    def find_claim(self, request_id: str) -> tuple[ClaimRequest, Workspace] | None:
        claim = self.rows.find_claim(request_id)
        found = self.rows.get_workspaces([claim[1]]) if claim else ()
        return (claim[0], found[0]) if claim and found else None

    @accept_old_keywords(take="request")
    def take_prebuild(self, request: ClaimRequest) -> Workspace | None:
        if request.request_id is not None and self._written.find_claim(request.request_id):
            raise ClaimConflictError(request.request_id)
        preset = self._written.lock_preset(request.preset_id)
        found = self.rows.lock_claimable(request, preset) if preset and preset.is_active else None
        if found is None:
            return None
        if self.rows.is_name_taken(request.owner_id, request.name):
            raise NameTakenError(request.owner_id, request.name)
        taken = take_workspace(found, request)
        self.rows.put_workspaces([taken])
        if request.request_id is not None:
            self.rows.put_claim(request, taken.id)
        return taken
