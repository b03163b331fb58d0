"""Presets that wait until the host's builder has room again.

- When the builder refuses a start for lack of room, the preset creates nothing for a while. It still deletes, as
  deletes make room.
- If deletes of the preset are under way, it waits until they have ended. Otherwise it waits for the backoff interval.
  It never waits longer than the look-back, so that a delete that hangs cannot block it for good.
- A preset that a pass has left may begin its wait while another pass looks at all of them.
- The waits are kept in memory only. Another reconciler asks the builder once and gets the same answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import attrs

from prebuilds.decision.policies.policy import Policy


@attrs.frozen(kw_only=True)
class _Wait:
    """When a wait began, and the deletes that it waits for; None until the next pass has listed them."""

    since: datetime
    for_deletes: frozenset[str] | None = None


class RoomWaits:
    """The presets that wait for room, and for how long."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._waits: dict[str, _Wait] = {}

    def begin(self, preset_id: str, now: datetime) -> None:
        """Note that the builder had no room for a start of this preset."""
        self._waits[preset_id] = _Wait(since=now)

    def has_room(self, preset_id: str, deleting: Collection[str], now: datetime) -> bool:
        """Whether the preset may create. `deleting` are its workspaces whose deletes are under way."""
        wait = self._waits.get(preset_id)
        if wait is None:
            return True
        if wait.for_deletes is None:
            wait = self._waits[preset_id] = attrs.evolve(wait, for_deletes=frozenset(deleting))
        if self._holds(wait, deleting, now):
            return False
        del self._waits[preset_id]
        return True

    def list_ends(self) -> Mapping[str, datetime]:
        """The latest end of the wait of each preset that waits."""
        return {preset_id: self._find_end(wait) for preset_id, wait in tuple(self._waits.items())}

    def forget_others(self, preset_ids: Collection[str]) -> None:
        """Forget the presets that are not among these: they are gone."""
        self._waits = {preset_id: wait for preset_id, wait in tuple(self._waits.items()) if preset_id in preset_ids}

    def _holds(self, wait: _Wait, deleting: Collection[str], now: datetime) -> bool:
        is_over = wait.for_deletes and wait.for_deletes.isdisjoint(deleting)
        return not is_over and wait.since <= now < self._find_end(wait)

    def _find_end(self, wait: _Wait) -> datetime:
        longest = self._policy.backoff_lookback
        return wait.since + (longest if wait.for_deletes else min(self._policy.backoff_interval, longest))
