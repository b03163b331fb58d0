"""Snapshots: all presets and their rows at one moment.

- A snapshot is indexed once, when it is made. Looking at one preset then costs only the rows of that preset.
- A row belongs to the preset it names (R1). Rows that name no known preset are counted as orphans, never dropped.
- Arguments are never changed or sorted in place.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from operator import attrgetter
from typing import NamedTuple, Protocol, TypeVar

import attrs

from prebuilds.decision.demand.rows import Demand
from prebuilds.decision.fields import (
    DURATION,
    NOW,
    check,
    instance_of,
    is_id,
    optional,
    require_instant,
    to_tuple,
    to_utc,
    tuple_of,
)
from prebuilds.decision.limits import Backoff, HardLimit
from prebuilds.decision.models import InProgress, Pending, Prebuild, Preset
from prebuilds.decision.policies.budgets import Budget, Foreground, RecentStarts
from prebuilds.decision.presets import PresetSnapshot, is_outdated, rank_by_age, take_preset_snapshot
from prebuilds.errors import InvalidSnapshotError, UnknownPresetError, shorten
from prebuilds.renames import OldAttribute

_IDS = check("a collection of ids", lambda value: type(value) is tuple and all(map(is_id, value)))


UNIQUE_KEYS = {
    "presets": "id",
    "running": "id",
    "backoffs": "preset_id",
    "limits": "preset_id",
    "demand": "preset_id",
}
"""The attribute that must be unique in each of these collections."""


class _Row(Protocol):
    @property
    def preset_id(self) -> str: ...


_R = TypeVar("_R", bound=_Row)


@attrs.frozen(kw_only=True)
class Orphans:
    """How many rows of a collection name this preset, which the snapshot does not have."""

    collection: str
    preset_id: str
    count: int


@attrs.frozen(kw_only=True)
class GlobalSnapshot:
    """The input of one round of decisions: all presets, and the rows that name them.

    `hard_limited` has the ids of the presets that may create nothing until they are reset. `limits` says why, and a
    preset that has a row there is hard-limited too. Raises `InvalidSnapshotError` with every preset id, prebuild id,
    backoff, limit or demand that is given twice.

    Only budgets read `foreground`, what users build themselves, and `recent_starts`, those begun in the last minute
    (R18).
    """

    presets: tuple[Preset, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Preset))
    running: tuple[Prebuild, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Prebuild))
    in_progress: tuple[InProgress, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(InProgress))
    pending: tuple[Pending, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Pending))
    backoffs: tuple[Backoff, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Backoff))
    hard_limited: tuple[str, ...] = attrs.field(default=(), converter=to_tuple, validator=_IDS)
    limits: tuple[HardLimit, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(HardLimit))
    foreground: tuple[Foreground, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Foreground))
    recent_starts: tuple[RecentStarts, ...] = attrs.field(
        default=(), converter=to_tuple, validator=tuple_of(RecentStarts)
    )
    demand: tuple[Demand, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Demand))
    """What was claimed, for presets with an `autoscale` (R21)."""

    def __attrs_post_init__(self) -> None:
        duplicates = chain.from_iterable(
            find_duplicates(collection, key, keys)
            for collection, key in UNIQUE_KEYS.items()
            if len(set(keys := tuple(map(attrgetter(key), getattr(self, collection))))) < len(keys)
        )
        first = next(duplicates, None)
        if first:
            raise InvalidSnapshotError(chain((first,), duplicates))
        self._index  # noqa: B018 - made now, so that planning does not pay for it

    @cached_property
    def _index(self) -> _Index:
        return _Index.build(self)

    @property
    def orphan_counts(self) -> tuple[Orphans, ...]:
        """The rows that name no preset of this snapshot, counted by collection and by the preset they name (R1)."""
        return self._index.orphan_counts

    orphaned = OldAttribute("GlobalSnapshot.orphaned", "orphan_counts")

    def for_preset(self, preset_id: str, now: datetime) -> PresetSnapshot:
        """One preset at one instant, with its expired prebuilds apart (R2). Raises `UnknownPresetError`."""
        preset = self._index.presets.get(preset_id)
        if preset is None:
            raise UnknownPresetError(preset_id)
        return self._index.make_preset_snapshot(preset, require_instant("for_preset", "now", now))

    def iterate_presets(self, now: datetime) -> Iterator[PresetSnapshot]:
        """Every preset at one instant, in the order of the presets; see `for_preset`."""
        now = require_instant("iterate_presets", "now", now)
        for preset in self.presets:
            yield self._index.make_preset_snapshot(preset, now)


@attrs.frozen(kw_only=True)
class SnapshotDocument:
    """A snapshot, and the instant, the backoff interval and the budgets to decide with, if the document has them."""

    snapshot: GlobalSnapshot = attrs.field(validator=instance_of(GlobalSnapshot))
    now: datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(NOW))
    backoff_interval: timedelta | None = attrs.field(default=None, validator=optional(DURATION))
    budgets: tuple[Budget, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Budget))


class _Index(NamedTuple):
    """The rows of a snapshot by the preset they name; prebuilds are sorted oldest first, then by id (R10).

    `outdated` has the outdated prebuilds among `running`, for the presets that have any.
    """

    presets: Mapping[str, Preset]
    running: Mapping[str, tuple[Prebuild, ...]]
    outdated: Mapping[str, tuple[Prebuild, ...]]
    in_progress: Mapping[str, tuple[InProgress, ...]]
    pending: Mapping[str, int]
    backoffs: Mapping[str, Backoff]
    hard_limited: frozenset[str]
    limits: Mapping[str, HardLimit]
    demand: Mapping[str, Demand]
    orphan_counts: tuple[Orphans, ...]

    @classmethod
    def build(cls, snapshot: GlobalSnapshot) -> _Index:
        presets = {preset.id: preset for preset in snapshot.presets}
        running, in_progress = _group_by_age(snapshot.running), _group(snapshot.in_progress)
        pending, backoffs, limits = _group(snapshot.pending), _group(snapshot.backoffs), _group(snapshot.limits)
        demand = _group(snapshot.demand)
        hard_limited = {preset_id: (preset_id,) * count for preset_id, count in Counter(snapshot.hard_limited).items()}
        return cls(
            presets=presets,
            running=running,
            outdated=_find_outdated(presets, running),
            in_progress=in_progress,
            pending={preset_id: sum(row.count for row in rows) for preset_id, rows in pending.items()},
            backoffs={preset_id: backoff for preset_id, (backoff,) in backoffs.items()},
            hard_limited=frozenset(hard_limited),
            limits={preset_id: limit for preset_id, (limit,) in limits.items()},
            demand={preset_id: row for preset_id, (row,) in demand.items()},
            orphan_counts=(
                *_find_orphans("running", running, presets),
                *_find_orphans("in_progress", in_progress, presets),
                *_find_orphans("pending", pending, presets),
                *_find_orphans("backoffs", backoffs, presets),
                *_find_orphans("hard_limited", hard_limited, presets),
                *_find_orphans("limits", limits, presets),
                *_find_orphans("demand", demand, presets),
            ),
        )

    def make_preset_snapshot(self, preset: Preset, now: datetime) -> PresetSnapshot:
        return take_preset_snapshot(
            preset,
            now,
            self.running.get(preset.id, ()),
            outdated=self.outdated.get(preset.id, ()),
            in_progress=self.in_progress.get(preset.id, ()),
            pending=self.pending.get(preset.id, 0),
            backoff=self.backoffs.get(preset.id),
            is_hard_limited=preset.id in self.hard_limited,
            limit=self.limits.get(preset.id),
            demand=self.demand.get(preset.id),
        )


def _group(rows: Iterable[_R]) -> dict[str, tuple[_R, ...]]:
    groups: defaultdict[str, list[_R]] = defaultdict(list)
    for row in rows:
        groups[row.preset_id].append(row)
    return {preset_id: tuple(group) for preset_id, group in groups.items()}


def _group_by_age(prebuilds: Iterable[Prebuild]) -> dict[str, tuple[Prebuild, ...]]:
    """Each group oldest first. Sorting many small groups is faster than sorting all rows."""
    groups = _group(prebuilds)
    for preset_id, group in groups.items():
        if len(group) > 1:
            groups[preset_id] = tuple(sorted(group, key=rank_by_age))
    return groups


def _find_outdated(
    presets: Mapping[str, Preset], running: Mapping[str, tuple[Prebuild, ...]]
) -> Mapping[str, tuple[Prebuild, ...]]:
    """The outdated prebuilds by preset: found once, as they do not depend on the instant. Usually there are none."""
    found: dict[str, tuple[Prebuild, ...]] = {}
    for name, rows in running.items():
        preset = presets.get(name)
        outdated = preset and [row for row in rows if is_outdated(preset, row)]
        if outdated:
            found[name] = tuple(outdated)
    return found


def _find_orphans(
    collection: str, groups: Mapping[str, Sequence[object]], presets: Mapping[str, Preset]
) -> Iterator[Orphans]:
    for preset_id in sorted(groups.keys() - presets.keys()):
        yield Orphans(collection=collection, preset_id=preset_id, count=len(groups[preset_id]))


def find_duplicates(collection: str, key: str, values: Iterable[object]) -> Iterator[str]:
    """A line for each value that an earlier row of the collection has too. Values that are not text are ignored."""
    first: dict[str, int] = {}
    for position, value in enumerate(values):
        if isinstance(value, str) and first.setdefault(value, position) != position:
            shown = f'"{shorten(value)}"'
            yield f"{collection}[{position}].{key}: {shown} is given twice, first by {collection}[{first[value]}]"
