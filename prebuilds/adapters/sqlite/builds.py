"""How far builds have come."""

from __future__ import annotations

from datetime import datetime

from prebuilds.adapters.sqlite.rows import SELECT_WORKSPACES, read_workspace, write_instant
from prebuilds.adapters.sqlite.statements import Statements
from prebuilds.adapters.sqlite.workspaces import end_build, find_workspace
from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.models import Workspace


class BuildRows:
    """The role `BuildWrites`."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def mark_submitted(self, build_id: str) -> None:
        self._statements.run("UPDATE builds SET submitted = 1 WHERE id = ?", build_id)

    def begin_build(self, build_id: str, *, now: datetime) -> bool:
        write_instant("now", now)  # no table has it, but a wrong one is refused as everywhere
        sql = "UPDATE builds SET status = 'running' WHERE id = ? AND status = 'pending'"
        return self._statements.run(sql, build_id) == 1

    def finish_build(self, build_id: str, status: BuildStatus, *, now: datetime) -> Workspace | None:
        if not status.is_final:
            raise InvalidValueError("finish_build", "status", status, "SUCCEEDED, FAILED or CANCELED")
        if not end_build(self._statements, build_id, status.value, now):
            return None
        workspace = self._find_by_build(build_id)
        if workspace.last_build.transition is not Transition.DELETE:
            return workspace
        deleted, failed = status is BuildStatus.SUCCEEDED, status is BuildStatus.FAILED
        self._statements.run(
            "UPDATE workspaces SET deleted = ?, failed_deletes = failed_deletes + ? WHERE id = ?",
            deleted,
            failed,
            workspace.id,
        )
        return self._find_by_build(build_id)

    def mark_ready(self, workspace_id: str) -> Workspace | None:
        workspace = find_workspace(self._statements, workspace_id)
        if workspace is None or not workspace.is_running or workspace.ready:
            return None
        self._statements.run("UPDATE workspaces SET ready = 1 WHERE id = ?", workspace_id)
        return find_workspace(self._statements, workspace_id)

    def _find_by_build(self, build_id: str) -> Workspace:
        """The workspace of a build that has ended just now, and so is its last."""
        (row,) = self._statements.fetch(f"{SELECT_WORKSPACES} WHERE builds.id = ?", build_id)
        return read_workspace(row)
