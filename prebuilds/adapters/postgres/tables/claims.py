"""Giving a prebuild to a user, in one statement.

- The statement holds the preset's row (FOR SHARE), so that the preset does not change. It locks the first prebuild that
  is not locked yet (SKIP LOCKED), so that claims do not wait for each other.
- Unique indexes are the safety net: on request ids, on claimed workspaces, and on each user's names. The request id is
  checked first: two calls at once with the same id are one claim, not a conflict of names.
"""

from __future__ import annotations

from typing import NoReturn

from psycopg import errors

from prebuilds.adapters.postgres.connections.statements import Role
from prebuilds.adapters.postgres.tables.plan_reads import WORKSPACE_COLUMNS
from prebuilds.adapters.rows import CLAIM_COLUMNS, flatten_request, make_claim_request, make_workspace
from prebuilds.errors import ClaimConflictError, NameTakenError
from prebuilds.renames import accept_old_keywords
from prebuilds.runtime.models import ClaimOrder, ClaimRequest, Workspace

FIND = f"""
    SELECT {", ".join(f"claims.{name}" for name in CLAIM_COLUMNS)},
        {", ".join(f"workspaces.{name.strip()}" for name in WORKSPACE_COLUMNS.split(","))}
    FROM claims JOIN workspaces ON workspaces.id = claims.workspace_id
    WHERE claims.request_id = %(request_id)s
"""
_HAS = "SELECT request_id FROM claims WHERE request_id = %(request_id)s"


def _order_take(order: str) -> str:
    return f"""
        WITH preset AS MATERIALIZED (
            SELECT
                id, template_version_id AS version_id, parameters, ttl,
                coalesce((options ->> 'ttl_jitter')::double precision, 0) AS ttl_jitter
            FROM presets
            WHERE id = %(preset_id)s AND is_active FOR SHARE
        ), chosen AS MATERIALIZED (
            SELECT id FROM workspaces
            WHERE preset_id = (SELECT id FROM preset) AND owner_id = 'prebuilds' AND NOT deleted AND ready
            AND build_transition = 'start' AND build_status = 'succeeded'
            AND NOT retired
            AND (build_version_id = '' OR (SELECT version_id FROM preset) IN ('', build_version_id))
            AND (parameters IS NULL OR parameters = (SELECT parameters FROM preset))
            AND created_at >= coalesce(%(created_since)s::timestamptz, '-infinity')
            AND is_within_ttl(
                (SELECT ttl FROM preset), (SELECT ttl_jitter FROM preset), id, created_at,
                %(claimed_at)s::timestamptz
            )
            ORDER BY {order} LIMIT 1
            FOR UPDATE SKIP LOCKED
        ), noted AS (
            INSERT INTO claims ({", ".join(CLAIM_COLUMNS)}, workspace_id)
            SELECT
                %(preset_id)s, %(created_since)s::timestamptz, %(claim_order)s, %(owner_id)s, %(name)s,
                %(request_id)s, %(claimed_at)s::timestamptz, id
            FROM chosen WHERE %(request_id)s::text IS NOT NULL
            RETURNING workspace_id
        )
        UPDATE workspaces SET owner_id = %(owner_id)s, name = %(name)s
        WHERE id = (SELECT id FROM chosen)
        AND (%(request_id)s::text IS NULL OR id = (SELECT workspace_id FROM noted))
        RETURNING {WORKSPACE_COLUMNS}
    """


TAKE = {
    ClaimOrder.OLDEST_FIRST: _order_take("created_at, id"),
    ClaimOrder.NEWEST_FIRST: _order_take("created_at DESC, id DESC"),
}


class ClaimRows(Role):
    """The role `ClaimWrites`."""

    def find_claim(self, request_id: str) -> tuple[ClaimRequest, Workspace] | None:
        row = self._statements.fetch_one(FIND, request_id=request_id)
        width = len(CLAIM_COLUMNS)
        return (make_claim_request(row[:width]), make_workspace(row[width:])) if row else None

    @accept_old_keywords(take="request")
    def take_prebuild(self, request: ClaimRequest) -> Workspace | None:
        values = dict(zip(CLAIM_COLUMNS, flatten_request(request), strict=True))
        try:
            rows = self._statements.write(TAKE[request.order], **values)
        except errors.UniqueViolation as error:
            refuse_claim(request, error)
        if rows:
            return make_workspace(rows[0])
        if request.request_id is not None and self._statements.fetch_one(_HAS, request_id=request.request_id):
            raise ClaimConflictError(request.request_id)
        return None


def refuse_claim(request: ClaimRequest, error: errors.UniqueViolation) -> NoReturn:
    """Raise what a violation of a unique index means for a claim."""
    if error.diag.constraint_name == "names":
        raise NameTakenError(request.owner_id, request.name) from error
    if error.diag.constraint_name == "requests" and request.request_id is not None:
        raise ClaimConflictError(request.request_id) from error
    raise error
