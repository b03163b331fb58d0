"""Claims by the minute, for learning what to expect.

- Each minute is spread over slots, as counters are, so that claims do not wait for each other's commit.
- Pruning joins the slots of minutes that are over an hour old into one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.adapters.postgres.connections.statements import Role
from prebuilds.runtime.models import ClaimCount, find_minute

_ADD = """ON CONFLICT (preset_id, minute, slot) DO UPDATE
    SET hits = claim_counts.hits + excluded.hits, misses = claim_counts.misses + excluded.misses
"""
_NOTE = f"""
    INSERT INTO claim_counts (preset_id, minute, slot, hits, misses)
    VALUES (%(preset_id)s, %(minute)s::timestamptz, pg_backend_pid() %% 64, %(hits)s::integer, %(misses)s::integer)
    {_ADD}
"""
_LIST = """
    SELECT preset_id, minute, sum(hits)::integer, sum(misses)::integer FROM claim_counts
    WHERE (%(preset_id)s::text IS NULL OR preset_id = %(preset_id)s)
    AND minute >= coalesce(%(since)s::timestamptz, '-infinity')
    GROUP BY preset_id, minute ORDER BY preset_id, minute
"""
_FORGET = "DELETE FROM claim_counts WHERE minute < %(before)s::timestamptz"
_JOIN = f"""
    WITH apart AS (
        DELETE FROM claim_counts WHERE slot <> 64 AND minute < statement_timestamp() - interval '1 hour'
        RETURNING preset_id, minute, hits, misses
    )
    INSERT INTO claim_counts (preset_id, minute, slot, hits, misses)
    SELECT preset_id, minute, 64, sum(hits), sum(misses) FROM apart GROUP BY preset_id, minute
    {_ADD}
"""


class ClaimCountRows(Role):
    """The role `ClaimCountWrites`."""

    def note_claim(self, preset_id: str, at: datetime, *, is_hit: bool) -> None:
        counts = {"hits": int(is_hit), "misses": int(not is_hit)}
        self._statements.write_late(_NOTE, preset_id=preset_id, minute=find_minute(at), **counts)

    def list_claim_counts(self, preset_id: str | None = None, *, since: datetime | None = None) -> Sequence[ClaimCount]:
        self._statements.catch_up()
        rows = self._statements.fetch(_LIST, preset_id=preset_id, since=since)
        return tuple(
            ClaimCount(preset_id=name, minute=minute, hits=hits, misses=misses) for name, minute, hits, misses in rows
        )

    def prune_claim_counts(self, *, before: datetime) -> None:
        self._statements.write(_FORGET, before=before)
        self._statements.write(_JOIN)
