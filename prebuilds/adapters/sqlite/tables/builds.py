"""The progress of builds: submitted, begun, finished, ready."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from prebuilds.adapters.sqlite.connections.statements import Role
from prebuilds.adapters.sqlite.tables.rows import EACH, SELECT_WORKSPACES, check_instant, read_workspace
from prebuilds.adapters.sqlite.tables.workspaces import find_workspace, update_build, update_workspace
from prebuilds.decision.models import BuildStatus
from prebuilds.decision.policies.failures import FailureClass
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.workspace_rules import end_build, make_ready, make_unready


class BuildRows(Role):
    """The role `BuildWrites`."""

    def mark_submitted(self, build_ids: Sequence[str]) -> None:
        sql = f"UPDATE builds SET submitted = 1 WHERE id IN ({EACH})"
        self._statements.run(sql, json.dumps(list(build_ids)))

    def begin_build(self, build_id: str, *, now: datetime) -> bool:
        check_instant("now", now)  # not stored, but a wrong value is refused as everywhere
        sql = "UPDATE builds SET status = 'running' WHERE id = ? AND status = 'pending'"
        return self._statements.run(sql, build_id) == 1

    def finish_build(
        self,
        build_id: str,
        status: BuildStatus,
        *,
        now: datetime,
        failure: FailureClass = FailureClass.TRANSIENT,
        message: str = "",
    ) -> Workspace | None:
        if not status.is_final:
            raise InvalidValueError("finish_build", "status", status, "SUCCEEDED, FAILED or CANCELED")
        row = self._statements.fetch_one(f"{SELECT_WORKSPACES} WHERE builds.id = ?", build_id)
        at = check_instant("now", now)
        ended = end_build(read_workspace(row), status, now=at, failure=failure, message=message) if row else None
        update_build(self._statements, ended)
        return update_workspace(self._statements, ended)

    def mark_ready(self, workspace_id: str) -> Workspace | None:
        workspace = find_workspace(self._statements, workspace_id)
        return update_workspace(self._statements, workspace and make_ready(workspace))

    def mark_unready(self, workspace_id: str) -> Workspace | None:
        workspace = find_workspace(self._statements, workspace_id)
        return update_workspace(self._statements, workspace and make_unready(workspace))
