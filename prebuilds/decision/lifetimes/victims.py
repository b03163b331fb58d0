"""Victims: which good prebuilds go, and in what order (R15, R16).

Without refreshing ahead, what is beyond the target goes. With it, some may be beyond the target for a while:

1. An aging prebuild goes once it is not needed: once the others that are ready cover the target. Those that are not
   ready go first, then those that will expire first.
2. Until then it stays beside its replacement, within `max_surge` above the target.
3. What is beyond even that goes in the order that the policy says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prebuilds.decision.lifetimes.aging import rank_by_end
from prebuilds.decision.models import Prebuild
from prebuilds.decision.policies.policy import Victims
from prebuilds.decision.presets import PresetSnapshot


class Surplus(NamedTuple):
    """How many prebuilds go: aging ones that are replaced, and others that are beyond what may be there."""

    replaced: int
    beyond: int


def calculate_surplus(snapshot: PresetSnapshot) -> Surplus:
    """How many good prebuilds go."""
    aging = snapshot.aging
    most, running = snapshot.target.delete_above, len(snapshot.running)
    if not aging:
        return Surplus(0, max(running - most, 0))
    ready = sum([prebuild.ready for prebuild in snapshot.running]) - sum([prebuild.ready for prebuild in aging])
    replaced = max(len(aging) - max(most - ready, 0), 0)
    kept = len(aging) - replaced
    return Surplus(replaced, max(running - replaced - most - limit_surge(snapshot, kept), 0))


def limit_surge(snapshot: PresetSnapshot, count: int) -> int:
    """How many of so many aging prebuilds may have a replacement at once: no more than `max_surge`."""
    most = snapshot.preset.max_surge
    return count if most is None else min(count, most)


def select_victims(snapshot: PresetSnapshot, order: Victims) -> Sequence[Prebuild]:
    """The good prebuilds that go, the first victim first."""
    surplus, aging = calculate_surplus(snapshot), snapshot.aging
    if not any(surplus):
        return ()
    ids = {prebuild.id for prebuild in aging}
    ranked = snapshot.running if order is Victims.OLDEST_FIRST else _rank(snapshot.running, ids)
    if not surplus.replaced:
        return ranked[: surplus.beyond]
    replaced = rank_by_end(snapshot.preset, aging)[: surplus.replaced]
    gone = {prebuild.id for prebuild in replaced}
    return (*replaced, *[prebuild for prebuild in ranked if prebuild.id not in gone][: surplus.beyond])


def _rank(prebuilds: Sequence[Prebuild], aging: set[str]) -> Sequence[Prebuild]:
    """Not ready, then aging, then oldest, then by id. The given order is by age and id, and each part keeps it."""
    unready = [row for row in prebuilds if not row.ready]
    if not unready:  # as in most pools
        return _put_first(prebuilds, aging)
    ready = [row for row in prebuilds if row.ready]
    return [*_put_first(unready, aging), *_put_first(ready, aging)]


def _put_first(prebuilds: Sequence[Prebuild], aging: set[str]) -> Sequence[Prebuild]:
    """The aging ones first."""
    return sorted(prebuilds, key=lambda prebuild: prebuild.id not in aging) if aging else prebuilds
