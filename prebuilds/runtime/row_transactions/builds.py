"""The progress of builds over rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from prebuilds.decision.models import BuildStatus
from prebuilds.decision.policies.failures import FailureClass
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.row_transactions.role import RowRole
from prebuilds.runtime.workspace_rules import (
    begin_build,
    end_build,
    is_outcome,
    make_outcome,
    make_ready,
    make_unready,
    submit_build,
)


class RowBuildWrites(RowRole):
    """The role `BuildWrites`."""

    def mark_submitted(self, build_ids: Sequence[str]) -> None:
        self.rows.put_workspaces([submit_build(row) for row in self._lock_by_builds(build_ids)])

    def begin_build(self, build_id: str, *, now: datetime) -> bool:  # noqa: ARG002 - no row keeps it
        return self._change_by_build(build_id, begin_build) is not None

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
        end = partial(end_build, status=status, now=now, failure=failure, message=message)
        ended = self._change_by_build(build_id, end)
        if ended and is_outcome(ended.last_build):
            self.rows.add_outcomes([make_outcome(ended.preset_id, ended.last_build)])
        return ended

    def mark_ready(self, workspace_id: str) -> Workspace | None:
        return self._change(workspace_id, make_ready)

    def mark_unready(self, workspace_id: str) -> Workspace | None:
        return self._change(workspace_id, make_unready)
