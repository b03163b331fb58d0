"""Log records for schedules that cannot be used: one when the problem begins, changes or ends.

- The preset then keeps its own count (R3). Without a warning, nobody would know why.
- Only this process knows what it has logged. Another process that takes the lease logs it again.
"""

from __future__ import annotations

import logging

from prebuilds.decision.plans.planning import Plan
from prebuilds.decision.targets import describe_fallback

_log = logging.getLogger(__name__)


class ScheduleLog:
    """Logs the schedule problems of one plan after another. Only one thread at a time may use it."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def note(self, made: Plan, *, is_whole: bool) -> None:
        """Log what is new in this plan, which covers the whole fleet or a part of it."""
        errors = {decision.preset_id: decision.snapshot.target.error for decision in made}
        for preset_id, error in errors.items():
            if error != self._told.get(preset_id):
                self._tell(preset_id, error)
        if is_whole:  # forget presets that are gone
            self._told = {preset_id: error for preset_id, error in self._told.items() if preset_id in errors}

    def _tell(self, preset_id: str, error: str | None) -> None:
        if error is None:
            del self._told[preset_id]
            _log.info("%s: its schedules can be used again", preset_id, extra={"preset_id": preset_id})
        else:
            self._told[preset_id] = error
            extra = {"preset_id": preset_id, "schedule_error": error}
            _log.warning("%s", describe_fallback(preset_id, error), extra=extra)
