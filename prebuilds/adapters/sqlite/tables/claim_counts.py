"""Claims by the minute, for learning what to expect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.adapters.sqlite.connections.statements import Role
from prebuilds.adapters.sqlite.tables.rows import read_instant, write_instant
from prebuilds.runtime.models import ClaimCount, find_minute

_NOTE = """
    INSERT INTO claim_counts VALUES (?, ?, ?, ?)
    ON CONFLICT (preset_id, minute) DO UPDATE SET hits = hits + excluded.hits, misses = misses + excluded.misses
"""
_LIST = "SELECT preset_id, minute, hits, misses FROM claim_counts WHERE minute >= ?"
_ORDER = "ORDER BY preset_id, minute"
_EARLIEST = -(2**63)


class ClaimCountRows(Role):
    """The role `ClaimCountWrites`."""

    def note_claim(self, preset_id: str, at: datetime, *, is_hit: bool) -> None:
        minute = write_instant("at", find_minute(at))
        self._statements.run(_NOTE, preset_id, minute, int(is_hit), int(not is_hit))

    def list_claim_counts(self, preset_id: str | None = None, *, since: datetime | None = None) -> Sequence[ClaimCount]:
        first = _EARLIEST if since is None else write_instant("since", since)
        if preset_id is None:
            rows = self._statements.fetch(f"{_LIST} {_ORDER}", first)
        else:
            rows = self._statements.fetch(f"{_LIST} AND preset_id = ? {_ORDER}", first, preset_id)
        return tuple(
            ClaimCount(preset_id=name, minute=read_instant(minute), hits=hits, misses=misses)
            for name, minute, hits, misses in rows
        )

    def prune_claim_counts(self, *, before: datetime) -> None:
        self._statements.run("DELETE FROM claim_counts WHERE minute < ?", write_instant("before", before))
