"""Live presets: one preset of a simulation while it runs, with its prebuilds and the builds that it waits for.

- The prebuilds are held oldest first, each with its number; numbers grow with (created_at, id), as ids do.
- A snapshot for a decision is taken by the very function by which a `GlobalSnapshot` takes its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache

import attrs

from prebuilds.decision.models import InProgress, Prebuild, Preset, Transition
from prebuilds.decision.presets import PresetSnapshot, take_preset_snapshot
from prebuilds.decision.targets import find_next_target_change
from prebuilds.whatif.simulation.build_history import Outcomes
from prebuilds.whatif.simulation.event_log import NEVER
from prebuilds.whatif.traces.ticks import count_ticks, to_instant, to_ticks

_MOST_OF_AN_ID = 400  # characters of an id that longer ones are made of
_FIRST_NAME = 10**9  # of as many digits as any other, which is twice as fast to write as zeros before a number


class LivePreset:
    """A preset and what there is of it. `is_changed` tells whether anything has happened since its last decision."""

    def __init__(
        self, preset: Preset, place: int, outcomes: Outcomes | None, edges: tuple[int, ...], since: int
    ) -> None:
        self.place = place
        self.outcomes = outcomes
        self.numbers: list[int] = []
        self.running: list[Prebuild] = []
        self.outdated: tuple[Prebuild, ...] = ()
        """Those of the running ones that were made with another version or other parameters (R2)."""
        self.under_way = 0
        self.pending = 0
        self.is_changed = True
        self.next_change = NEVER
        self._edges = edges
        known = preset.last_invalidated_at
        self.invalidated_at = -NEVER if known is None or to_ticks(known) > since else to_ticks(known)
        self.set_preset(preset)

    def set_preset(self, preset: Preset) -> None:
        """The preset as it is from now on."""
        self.preset = preset
        self.id = preset.id
        self.template_id = preset.template_version.template.id
        self.version_id = preset.template_version.id
        self.prefix = f"{preset.id[:_MOST_OF_AN_ID]}-"
        self.ttl = count_ticks(preset.ttl) if preset.ttl else NEVER
        self.can_expire = self.ttl < NEVER or self.invalidated_at > -NEVER
        self.is_changed = True

    def name_prebuild(self, number: int) -> str:
        """The id of the prebuild with this number; ids sort as numbers do."""
        return self.prefix + str(number + _FIRST_NAME)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of an inactive preset, and nothing to come."""
        return not (self.preset.is_active or self.running or self.under_way or self.pending)

    def add(self, number: int, prebuild: Prebuild) -> None:
        """A prebuild that has become ready. Builds may overtake each other."""
        numbers = self.numbers
        if not numbers or numbers[-1] < number:
            numbers.append(number)
            self.running.append(prebuild)
        else:
            place = bisect_left(numbers, number)
            numbers.insert(place, number)
            self.running.insert(place, prebuild)

    def take_oldest(self, now: int, created: list[int]) -> int | None:
        """The number of the oldest good prebuild, which is here no longer; None if there is none."""
        place = self._count_expired(now, created) if self.can_expire else 0
        while self.outdated and place < len(self.numbers) and self.running[place] in self.outdated:
            place += 1
        if place == len(self.numbers):
            return None
        del self.running[place]
        return self.numbers.pop(place)

    def _count_expired(self, now: int, created: list[int]) -> int:
        """As rule R2 has it, in ticks: there is a claim for each few microseconds of a simulation."""
        cutoff = max(self.invalidated_at, now - self.ttl)
        if not self.numbers or created[self.numbers[0]] >= cutoff:
            return 0
        return bisect_left(self.numbers, cutoff, key=created.__getitem__)

    def remove(self, ids: tuple[str, ...]) -> Iterator[tuple[str, int]]:
        """Take these prebuilds away, and tell the number of each."""
        doomed = set(ids)
        kept = [(number, row) for number, row in zip(self.numbers, self.running, strict=True) if row.id not in doomed]
        gone = [(row.id, number) for number, row in zip(self.numbers, self.running, strict=True) if row.id in doomed]
        self.numbers, self.running = [number for number, _ in kept], [row for _, row in kept]
        self.outdated = tuple(row for row in self.outdated if row.id not in doomed)
        yield from gone

    def take_snapshot(self, now: datetime, spoken_for: int) -> PresetSnapshot:
        """What a decision looks at. Builds that waiting users will have are theirs, and not the pool's any more."""
        outcomes, starting = self.outcomes, self.under_way - spoken_for
        return take_preset_snapshot(
            self.preset,
            now,
            tuple(self.running),
            outdated=self.outdated,
            in_progress=make_starts(self.preset.id, starting) if starting > 0 else (),
            pending=self.pending,
            backoff=outcomes.find_backoff(now) if outcomes else None,
            is_hard_limited=outcomes.is_hard_limited(now) if outcomes else False,
        )

    def find_next_edge(self, now: int) -> int:
        """The next tick at which a window of an active preset opens or closes."""
        place = bisect_left(self._edges, now + 1) if self.preset.is_active else len(self._edges)
        return self._edges[place] if place < len(self._edges) else NEVER

    def find_expiry(self, snapshot: PresetSnapshot) -> int:
        """The tick at which the oldest of the good prebuilds of a snapshot will have expired."""
        if not snapshot.running or self.ttl == NEVER:
            return NEVER
        return to_ticks(snapshot.running[0].created_at) + self.ttl + 1

    def find_invalidation(self, snapshot: PresetSnapshot) -> int:
        """The tick of an invalidation that is yet to come, if it will expire one of a snapshot's good prebuilds."""
        at, running = self.preset.last_invalidated_at, snapshot.running
        return to_ticks(at) if at and running and snapshot.now < at and running[0].created_at < at else NEVER

    def deactivate(self) -> None:
        """The template version is the active one no longer."""
        version = attrs.evolve(self.preset.template_version, is_active=False)
        self.set_preset(attrs.evolve(self.preset, template_version=version))

    def invalidate(self, at: int) -> None:
        """What was created before has expired."""
        self.invalidated_at = at
        self.set_preset(attrs.evolve(self.preset, last_invalidated_at=to_instant(at)))


@lru_cache(maxsize=2**12)
def make_starts(preset_id: str, count: int) -> tuple[InProgress, ...]:
    """The rows of so many builds under way."""
    return (InProgress(preset_id=preset_id, transition=Transition.START, count=count),)


def list_edges(preset: Preset, begin: int, end: int) -> tuple[int, ...]:
    """The ticks within a span, its begin left out, at which another window is open than before."""
    return tuple(_iterate_edges(preset, begin, end))


def _iterate_edges(preset: Preset, begin: int, end: int) -> Iterator[int]:
    at = find_next_target_change(preset, to_instant(begin))
    while at is not None and to_ticks(at) <= end:
        yield to_ticks(at)
        at = find_next_target_change(preset, at)


def succeed(first: Preset, place: int) -> Preset:
    """The preset that the so many-th promotion makes of the first one."""
    version = attrs.evolve(first.template_version, id=_name_successor(first.template_version.id, place))
    return attrs.evolve(first, id=_name_successor(first.id, place), template_version=version)


def _name_successor(name: str, place: int) -> str:
    return f"{name[:_MOST_OF_AN_ID]} after promotion {place}"
