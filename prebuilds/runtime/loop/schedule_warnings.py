"""What a reconciler logs of schedules that cannot be used: each once, when it begins, when it changes, when it ends.

- Such a preset keeps its own count (R3), and a loop that said nothing would leave its people guessing.
- Which presets were told of is known to this process alone: another that takes the lease tells of them anew.
"""

from __future__ import annotations

import logging

from prebuilds.decision.plans.planning import Plan
from prebuilds.decision.targets import describe_fallback

_log = logging.getLogger(__name__)


class ScheduleLog:
    """Tells of the schedules in plan after plan. One thread at a time may use it."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def note(self, made: Plan, *, is_whole: bool) -> None:
        """Log what this plan, of the whole fleet or of a part, has that was not so in the plan before."""
        errors = {decision.preset_id: decision.snapshot.target.error for decision in made}
        for preset_id, error in errors.items():
            if error != self._told.get(preset_id):
                self._tell(preset_id, error)
        if is_whole:  # of a preset that is gone there is nothing to tell
            self._told = {preset_id: error for preset_id, error in self._told.items() if preset_id in errors}

    def _tell(self, preset_id: str, error: str | None) -> None:
        if error is None:
            del self._told[preset_id]
            _log.info("%s: its schedules can be used again", preset_id, extra={"preset_id": preset_id})
        else:
            self._told[preset_id] = error
            extra = {"preset_id": preset_id, "schedule_error": error}
            _log.warning("%s", describe_fallback(preset_id, error), extra=extra)
