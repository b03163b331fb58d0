"""When to look at a preset again after a pass, if nothing happens to it before.

- A plan knows when its own decision could differ. What the pass has done since, and what waits for the builder or for
  other presets, may call for an earlier look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from prebuilds.decision.models import Preset
from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.plans.planning import Plan
from prebuilds.decision.plans.withholding import WithheldReason
from prebuilds.runtime.deadlines import DeleteStuck, GiveUpStart
from prebuilds.runtime.loop.effects import CreatePrebuild
from prebuilds.runtime.loop.results import OutcomeStatus, PresetResult

Look = tuple[str, datetime]
"""The id of a preset, and when to look at it. A preset may have several."""


def find_earliest(looks: Iterable[Look]) -> Mapping[str, datetime]:
    """The first look at each preset."""
    changes: dict[str, datetime] = {}
    for preset_id, at in looks:
        changes[preset_id] = min(changes.get(preset_id, at), at)
    return changes


def list_looks(
    made: Plan,
    results: Sequence[PresetResult],
    *,
    now: datetime,
    interval: timedelta,
    call_waits: Mapping[str, timedelta],
    room_ends: Mapping[str, datetime],
) -> Iterator[Look]:
    """The looks that follow from the plan, and from waits for the builder.

    `call_waits` tells for which presets calls hang or were put off, and how long to wait. `room_ends` tells until when
    a preset waits for room. Where something waits for other presets, the next look is after the `interval`.
    """
    for decision in made:
        if decision.next_change_at:
            yield decision.preset_id, decision.next_change_at
        if decision.preset_id in room_ends:
            yield decision.preset_id, room_ends[decision.preset_id]
        if _waits_for_others(decision):
            yield decision.preset_id, now + interval
    for result in results:
        if result.is_unsettled and result.preset_id in call_waits:
            yield result.preset_id, now + call_waits[result.preset_id]


def _waits_for_others(decision: Decision) -> bool:
    """Whether something was withheld that a later pass may do, though nothing happens to the preset itself."""
    timed = (WithheldReason.HARD_LIMITED, WithheldReason.CAPACITY)  # until a reset, or the decision's own next change
    return any(withheld.reason not in timed for withheld in decision.withheld)


def list_follow_ups(results: Iterable[PresetResult], presets: Iterable[Preset], now: datetime) -> Iterator[Look]:
    """The looks that follow from what was done.

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
