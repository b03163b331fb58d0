"""Expectations: what was carried out and is not seen yet, for hosts whose reads lag behind their writes (R22).

- A create counts as starting, and a delete as gone, until a snapshot shows it or until its deadline.
- Reads may be late, but they never go back: what one snapshot shows, later ones do not undo.
- Nothing is changed in place. The host keeps the value and passes it on from round to round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime

import attrs

from prebuilds.decision.fields import ID, INSTANT, check, require_instant, to_tuple, to_utc, tuple_of
from prebuilds.decision.models import InProgress, Transition
from prebuilds.decision.snapshots import GlobalSnapshot

_CREATE_OR_DELETE = check(
    "Transition.START or Transition.DELETE", lambda value: value in (Transition.START, Transition.DELETE)
)


@attrs.frozen(kw_only=True)
class Expectation:
    """A prebuild whose start or delete was requested. From `deadline` on it no longer counts."""

    prebuild_id: str = attrs.field(validator=ID)
    preset_id: str = attrs.field(validator=ID)
    transition: Transition = attrs.field(validator=_CREATE_OR_DELETE)
    deadline: datetime = attrs.field(converter=to_utc, validator=INSTANT)


@attrs.frozen(kw_only=True)
class Expectations:
    """The effects that were carried out and that no snapshot has shown yet."""

    effects: tuple[Expectation, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Expectation))

    def __iter__(self) -> Iterator[Expectation]:
        return iter(self.effects)

    def __len__(self) -> int:
        return len(self.effects)

    @property
    def next_deadline(self) -> datetime | None:
        """When the first of them will be forgotten. A host sleeps until then, or until the plan's `next_change_at`."""
        return min((effect.deadline for effect in self), default=None)

    def add(
        self, preset_id: str, *, creates: Iterable[str] = (), deletes: Iterable[str] = (), deadline: datetime
    ) -> Expectations:
        """These, and the prebuilds of a preset whose starts (`creates`) and deletes were requested, by their ids."""
        new = [(name, Transition.START) for name in creates] + [(name, Transition.DELETE) for name in deletes]
        return Expectations(
            effects=(
                *self,
                *[
                    Expectation(prebuild_id=name, preset_id=preset_id, transition=transition, deadline=deadline)
                    for name, transition in new
                ],
            )
        )

    def prune(self, snapshot: GlobalSnapshot, *, now: datetime) -> Expectations:
        """Those that the snapshot does not show yet and whose deadline is still to come.

        Raises `InvalidValueError` for a `now` that is naive or out of range.
        """
        now = require_instant("prune", "now", now)
        return Expectations(effects=[effect for effect in _list_unseen(snapshot, self) if now < effect.deadline])


def expect(snapshot: GlobalSnapshot, expectations: Expectations) -> GlobalSnapshot:
    """The snapshot as it will be once it shows these effects.

    Creates count as starting. Deletes leave `running` and count as being deleted. What the snapshot shows already is
    not counted again, and neither is a prebuild of a preset that the snapshot does not have.

    A create is seen when its id is in `running`, or among the `ids` of a row in `in_progress`. Without such `ids` it
    counts until it runs, so that a preset may create less for a while, but never more.
    """
    unseen = _list_unseen(snapshot, expectations)
    if not unseen:
        return snapshot
    gone = {effect.prebuild_id for effect in unseen if effect.transition is Transition.DELETE}
    return attrs.evolve(
        snapshot,
        running=[prebuild for prebuild in snapshot.running if prebuild.id not in gone],
        in_progress=(*snapshot.in_progress, *_count_effects(unseen, {preset.id for preset in snapshot.presets})),
    )


def _list_unseen(snapshot: GlobalSnapshot, expectations: Expectations) -> list[Expectation]:
    """The effects that the snapshot does not show. Two for one prebuild and transition are one effect."""
    running = {prebuild.id for prebuild in snapshot.running}
    starting = {name for row in snapshot.in_progress if row.transition is Transition.START for name in row.ids}
    once = {(effect.prebuild_id, effect.transition): effect for effect in expectations}
    return [effect for effect in once.values() if not _is_seen(effect, running, starting)]


def _is_seen(effect: Expectation, running: AbstractSet[str], starting: AbstractSet[str]) -> bool:
    if effect.transition is Transition.DELETE:
        return effect.prebuild_id not in running
    return effect.prebuild_id in running or effect.prebuild_id in starting


def _count_effects(effects: Iterable[Expectation], known: AbstractSet[str]) -> list[InProgress]:
    groups: defaultdict[tuple[str, Transition], list[str]] = defaultdict(list)
    for effect in effects:
        if effect.preset_id in known:
            groups[effect.preset_id, effect.transition].append(effect.prebuild_id)
    return [
        InProgress(preset_id=preset_id, transition=transition, count=len(ids), ids=ids)
        for (preset_id, transition), ids in groups.items()
    ]
