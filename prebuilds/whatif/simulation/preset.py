"""One preset while its pool is simulated: its prebuilds, its builds under way, and when it must be decided on next.

- Prebuilds are kept oldest first, each with its number. Numbers are in the order of (created_at, id).
- `take_preset_snapshot` takes the snapshot for a decision, as it does for a `GlobalSnapshot`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import islice

import attrs

from prebuilds.decision.demand.rows import Demand
from prebuilds.decision.lifetimes.aging import has_outlived
from prebuilds.decision.lifetimes.deadlines import is_overdue
from prebuilds.decision.models import InProgress, Prebuild, Preset, Transition
from prebuilds.decision.presets import PresetSnapshot, set_stage, take_preset_snapshot
from prebuilds.decision.targets import find_next_target_change
from prebuilds.whatif.simulation.build_history import BuildHistory
from prebuilds.whatif.simulation.event_log import NEVER, make_prefix, name_prebuild
from prebuilds.whatif.traces.ticks import count_ticks, to_instant, to_ticks

_MOST_OF_AN_ID = 400  # characters of an id that a longer one may begin with


class SimulatedPreset:
    """A preset and its prebuilds at one instant. `is_changed`: something has happened since the last decision."""

    def __init__(
        self, preset: Preset, place: int, build_history: BuildHistory | None, edges: tuple[int, ...], since: int
    ) -> None:
        self.place = place
        self.build_history = build_history
        self.numbers: list[int] = []
        self.running: list[Prebuild] = []
        self.outdated: tuple[Prebuild, ...] = ()
        """Running prebuilds that were made with another version or other parameters (R2)."""
        self.starts: dict[int, datetime] = {}
        """The builds under way: their numbers, in order, and when each began."""
        self.pending = 0
        self.is_changed = True
        self.next_change = NEVER
        self._edges = edges
        known = preset.last_invalidated_at
        self.invalidated_at = -NEVER if known is None or to_ticks(known) > since else to_ticks(known)
        self.set_preset(preset)

    def set_preset(self, preset: Preset) -> None:
        """Use these settings from now on."""
        self.preset = preset
        self.id = preset.id
        self.template_id = preset.template_version.template.id
        self.version_id = preset.template_version.id
        self.prefix = make_prefix(preset)
        self.ttl = count_ticks(preset.ttl) if preset.ttl else NEVER
        self.can_expire = self.ttl < NEVER or self.invalidated_at > -NEVER
        self.has_lifetimes = bool(preset.ttl) and bool(preset.ttl_jitter or preset.refresh_ahead)
        """Whether prebuilds have own ttls, or are replaced ahead (R16)."""
        has_deadlines = preset.build_deadline is not None or preset.ready_deadline is not None
        self.is_timed = self.has_lifetimes or has_deadlines or preset.autoscale is not None
        """Whether time changes decisions in more ways than by windows, expiry and invalidation."""
        self.has_own_ttls = bool(preset.ttl and preset.ttl_jitter)
        self.is_changed = True

    def name_prebuild(self, number: int) -> str:
        """The id of the prebuild with this number. Ids sort as their numbers do."""
        return name_prebuild(self.prefix, number)

    @property
    def is_over(self) -> bool:
        """Whether the preset is inactive and has no prebuilds left, ready or to come."""
        return not (self.preset.is_wanted or self.running or self.starts or self.pending)

    def is_due(self, now: int) -> bool:
        """Whether something, or time alone, may have changed its decision."""
        return self.is_changed or self.next_change <= now

    def add(self, number: int, prebuild: Prebuild) -> None:
        """Add a prebuild that has become ready. Builds may overtake each other."""
        numbers = self.numbers
        if not numbers or numbers[-1] < number:
            numbers.append(number)
            self.running.append(prebuild)
        else:
            place = bisect_left(numbers, number)
            numbers.insert(place, number)
            self.running.insert(place, prebuild)

    def take_oldest(self, now: int, created: list[int]) -> int | None:
        """Take the oldest good prebuild away and give its number; None if there is none."""
        place = self._count_expired(now, created) if self.can_expire else 0
        while place < len(self.numbers) and self._is_unfit(self.running[place], now):
            place += 1
        if place == len(self.numbers):
            return None
        del self.running[place]
        return self.numbers.pop(place)

    def _is_unfit(self, prebuild: Prebuild, now: int) -> bool:
        """Whether it must not be claimed although it is younger than the ttl."""
        if not prebuild.ready or (self.outdated and prebuild in self.outdated):
            return True
        return self.has_own_ttls and has_outlived(self.preset, prebuild.id, prebuild.created_at, to_instant(now))

    def _count_expired(self, now: int, created: list[int]) -> int:
        """How many prebuilds have expired by R2. It works on ticks, as it runs once for each claim."""
        cutoff = max(self.invalidated_at, now - self.ttl)
        if not self.numbers or created[self.numbers[0]] >= cutoff:
            return 0
        return bisect_left(self.numbers, cutoff, key=created.__getitem__)

    def remove(self, ids: tuple[str, ...]) -> Iterator[tuple[str, int]]:
        """Take these prebuilds away, and yield the id and the number of each."""
        doomed = set(ids)
        kept = [(number, row) for number, row in zip(self.numbers, self.running, strict=True) if row.id not in doomed]
        gone = [(row.id, number) for number, row in zip(self.numbers, self.running, strict=True) if row.id in doomed]
        self.numbers, self.running = [number for number, _ in kept], [row for _, row in kept]
        self.outdated = tuple(row for row in self.outdated if row.id not in doomed)
        yield from gone

    def find_build_deadline(self) -> int:
        """The first tick at which a start is overdue (R14), be it spoken for or not yet seen by a decision."""
        deadline = self.preset.build_deadline
        return to_ticks(next(iter(self.starts.values())) + deadline) if deadline and self.starts else NEVER

    def list_overdue(self, now: datetime) -> list[int]:
        """The numbers of the starts that are overdue (R14)."""
        if self.preset.build_deadline is None:
            return []
        return [number for number, began_at in self.starts.items() if is_overdue(self.preset, began_at, now)]

    def take_snapshot(self, now: datetime, spoken_for: int, demand: Demand | None = None) -> PresetSnapshot:
        """The snapshot for a decision. It leaves out builds that are spoken for: they belong to waiting users."""
        build_history = self.build_history
        return take_preset_snapshot(
            self.preset,
            now,
            tuple(self.running),
            outdated=self.outdated,
            in_progress=self._list_in_progress(max(len(self.starts) - spoken_for, 0)),
            pending=self.pending,
            backoff=build_history.find_backoff(now) if build_history else None,
            is_hard_limited=build_history.is_hard_limited(now) if build_history else False,
            limit=build_history.find_limit(now) if build_history else None,
            demand=demand,
        )

    def _list_in_progress(self, count: int) -> tuple[InProgress, ...]:
        """The rows for the first `count` starts. They say when each began, if there is a deadline for that."""
        if self.preset.build_deadline is None:
            return (make_starts(self.id, count),) if count else ()
        began = Counter(islice(self.starts.values(), count))
        return tuple([make_starts(self.id, number, began_at) for began_at, number in began.items()])

    def find_next_change(self, snapshot: PresetSnapshot, now: int) -> int:
        """The next tick at which time alone changes the decision: an edge, an expiry or an invalidation (R12)."""
        return min(self._find_next_edge(now), self._find_expiry(snapshot), self._find_invalidation(snapshot))

    def _find_next_edge(self, now: int) -> int:
        """The next tick at which a window of an active preset opens or closes."""
        place = bisect_left(self._edges, now + 1) if self.preset.is_wanted else len(self._edges)
        return self._edges[place] if place < len(self._edges) else NEVER

    def _find_expiry(self, snapshot: PresetSnapshot) -> int:
        """The first tick at which the oldest good prebuild of a snapshot has expired."""
        if not snapshot.running or self.ttl == NEVER:
            return NEVER
        return to_ticks(snapshot.running[0].created_at) + self.ttl + 1

    def _find_invalidation(self, snapshot: PresetSnapshot) -> int:
        """The tick of a future invalidation, if it will expire a good prebuild of the snapshot."""
        at, running = self.preset.last_invalidated_at, snapshot.running
        return to_ticks(at) if at and running and snapshot.now < at and running[0].created_at < at else NEVER

    def deactivate(self) -> None:
        """Make the template version inactive."""
        self.set_preset(set_stage(self.preset))

    def activate(self) -> None:
        """Make the template version, a candidate, the active one."""
        self.set_preset(set_stage(self.preset, is_active=True))

    def invalidate(self, at: int) -> None:
        """Expire everything that was created before this tick."""
        self.invalidated_at = at
        self.set_preset(attrs.evolve(self.preset, last_invalidated_at=to_instant(at)))


@lru_cache(maxsize=2**12)
def make_starts(preset_id: str, count: int, began_at: datetime | None = None) -> InProgress:
    """The row for this number of builds under way."""
    return InProgress(preset_id=preset_id, transition=Transition.START, count=count, began_at=began_at)


def list_edges(preset: Preset, begin: int, end: int) -> tuple[int, ...]:
    """The ticks after `begin`, up to `end`, at which a window opens or closes."""
    return tuple(_iterate_edges(preset, begin, end))


def _iterate_edges(preset: Preset, begin: int, end: int) -> Iterator[int]:
    at = find_next_target_change(preset, to_instant(begin))
    while at is not None and to_ticks(at) <= end:
        yield to_ticks(at)
        at = find_next_target_change(preset, at)


def succeed(first: Preset, place: int) -> Preset:
    """The preset that promotion number `place` puts in place of the first one."""
    version = attrs.evolve(first.template_version, id=_name_successor(first.template_version.id, place))
    return attrs.evolve(first, id=_name_successor(first.id, place), template_version=version)


def _name_successor(name: str, place: int) -> str:
    return f"{name[:_MOST_OF_AN_ID]} after promotion {place}"
