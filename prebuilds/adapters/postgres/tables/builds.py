"""The progress of builds. Each step is one statement, which writes only if the build is in the right state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.adapters.postgres.connections.statements import Role
from prebuilds.adapters.postgres.tables.plan_reads import WORKSPACE_COLUMNS
from prebuilds.adapters.postgres.tables.workspaces import NOTE_ENDED, make_first
from prebuilds.decision.models import BuildStatus
from prebuilds.decision.policies.failures import FailureClass
from prebuilds.runtime.models import Workspace

_MARK_SUBMITTED = """
    UPDATE workspaces SET build_submitted = true WHERE build_id = ANY(%(ids)s::text[]) AND NOT build_submitted
"""
_BEGIN = """
    UPDATE workspaces SET build_status = 'running' WHERE build_id = %(id)s AND build_status = 'pending' RETURNING id
"""
_FINISH = f"""
    WITH ended AS (
        UPDATE workspaces SET
            build_status = CASE WHEN retired AND build_transition = 'start' THEN 'canceled' ELSE %(status)s END,
            build_finished_at = greatest(%(now)s, build_created_at),
            build_failure = %(failure)s, build_message = %(message)s,
            deleted = deleted OR (build_transition = 'delete' AND %(status)s = 'succeeded'),
            failed_deletes = failed_deletes + (build_transition = 'delete' AND %(status)s = 'failed')::integer
        WHERE build_id = %(id)s AND build_status IN ('pending', 'running')
        RETURNING *
    ), noted AS ({NOTE_ENDED})
    SELECT {WORKSPACE_COLUMNS} FROM ended
"""
_MARK_READY = f"""
    UPDATE workspaces SET ready = true
    WHERE id = %(id)s AND NOT deleted AND NOT retired AND NOT ready
    AND build_transition = 'start' AND build_status = 'succeeded'
    RETURNING {WORKSPACE_COLUMNS}
"""

_MARK_UNREADY = f"""
    UPDATE workspaces SET ready = false WHERE id = %(id)s AND owner_id = 'prebuilds' AND NOT deleted AND ready
    RETURNING {WORKSPACE_COLUMNS}
"""


class BuildRows(Role):
    """The role `BuildWrites`."""

    def mark_submitted(self, build_ids: Sequence[str]) -> None:
        self._statements.write_next(_MARK_SUBMITTED, ids=list(build_ids))

    def begin_build(self, build_id: str, *, now: datetime) -> bool:  # noqa: ARG002 - not stored
        return bool(self._statements.write_text(_BEGIN, id=build_id))

    def finish_build(
        self,
        build_id: str,
        status: BuildStatus,
        *,
        now: datetime,
        failure: FailureClass = FailureClass.TRANSIENT,
        message: str = "",
    ) -> Workspace | None:
        values = {"status": status.value, "now": now, "failure": failure.value, "message": message}
        return make_first(self._statements.write(_FINISH, id=build_id, **values))

    def mark_ready(self, workspace_id: str) -> Workspace | None:
        return make_first(self._statements.write(_MARK_READY, id=workspace_id))

    def mark_unready(self, workspace_id: str) -> Workspace | None:
        return make_first(self._statements.write(_MARK_UNREADY, id=workspace_id))
