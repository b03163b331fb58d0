"""When to look at a preset again because of what a pass has just done for it, which its plan could not know yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from prebuilds.decision.models import Preset
from prebuilds.runtime.deadlines import DeleteStuck, GiveUpStart
from prebuilds.runtime.loop.effects import CreatePrebuild
from prebuilds.runtime.loop.results import OutcomeStatus, PresetResult


def list_follow_ups(
    results: Iterable[PresetResult], presets: Iterable[Preset], now: datetime
) -> Iterator[tuple[str, datetime]]:
    """The id of each preset that is to be looked at again, and when: a preset may come more than once.

    A failed build that was noted may change the decision at once. A start that was begun may miss its deadline (R14).
    """
    deadlines = {preset.id: preset.build_deadline for preset in presets if preset.build_deadline}
    for result in results:
        effects = [outcome.effect for outcome in result.select(OutcomeStatus.DONE)]
        if any(isinstance(effect, DeleteStuck | GiveUpStart) for effect in effects):
            yield result.preset_id, now
        deadline = deadlines.get(result.preset_id)
        if deadline and any(isinstance(effect, CreatePrebuild) for effect in effects):
            yield result.preset_id, now + deadline
