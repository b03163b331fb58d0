"""What happens to a simulated preset from outside: promotions and their staging, and invalidations."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from prebuilds.decision.models import Preset
from prebuilds.whatif.simulation.scenario import Invalidation, Promotion, Scenario, list_promotions
from prebuilds.whatif.traces.ticks import to_ticks


class Staging(NamedTuple):
    """The beginning of a promotion that finds the pool full."""

    promotion: Promotion


Event = Promotion | Staging | Invalidation | None
"""None is the instant of the invalidation that the preset knows of from the start."""


def list_events(scenario: Scenario, preset: Preset, begin: int) -> list[tuple[int, Event]]:
    """What happens to this preset, in order; a promotion comes before an invalidation at the same instant."""
    template = preset.template_version.template.id
    invalidations = [one for one in scenario.invalidations if one.preset_id == preset.id]
    known = preset.last_invalidated_at
    own: list[tuple[int, Event]] = [(to_ticks(known), None)] if known and to_ticks(known) > begin else []
    events: list[tuple[int, Event]] = [
        *_list_promotion_events(scenario, template),
        *((to_ticks(invalidation.at), invalidation) for invalidation in invalidations),
    ]
    return sorted([*events, *own], key=itemgetter(0))


def _list_promotion_events(scenario: Scenario, template_id: str) -> Iterator[tuple[int, Event]]:
    for promotion in list_promotions(scenario.promotions, template_id):
        if promotion.staged_at:
            yield to_ticks(promotion.staged_at), Staging(promotion)
        yield to_ticks(promotion.at), promotion
