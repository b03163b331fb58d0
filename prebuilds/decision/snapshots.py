"""Snapshots: what is there at one moment, for all presets and for one.

- A snapshot is indexed once, when it is made; looking at one preset costs the rows of that preset alone.
- A row belongs to the preset it names (R1). Rows that name no known preset are kept apart as orphans, never dropped.
- Nothing given is sorted in place or changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import attrs

from prebuilds.decision.fields import (
    FLAG,
    ID,
    NOW,
    TOTAL,
    UTC,
    Check,
    instance_of,
    optional,
    require_now,
    to_tuple,
    to_utc,
    tuple_of,
)
from prebuilds.decision.models import Backoff, InProgress, Pending, Prebuild, Preset
from prebuilds.decision.targets import Target, calculate_target
from prebuilds.errors import InvalidSnapshotError, UnknownPresetError, show

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_IDS = Check("a collection of ids", lambda value: type(value) is tuple and all(map(ID.accepts, value)))


class _Row(Protocol):
    @property
    def preset_id(self) -> str: ...


_R = TypeVar("_R", bound=_Row)


@attrs.frozen(kw_only=True)
class PresetSnapshot:
    """One preset at one instant.

    Its prebuilds are already split into the good ones (`running`) and the expired; `pending` counts its jobs that
    have not begun. The target follows from preset and instant.
    """

    preset: Preset = attrs.field(validator=instance_of(Preset))
    now: datetime = attrs.field(converter=to_utc, validator=NOW)
    running: tuple[Prebuild, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Prebuild))
    expired: tuple[Prebuild, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Prebuild))
    in_progress: tuple[InProgress, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(InProgress))
    pending: int = attrs.field(default=0, validator=TOTAL)
    backoff: Backoff | None = attrs.field(default=None, validator=optional(instance_of(Backoff)))
    is_hard_limited: bool = attrs.field(default=False, validator=FLAG)
    target: Target = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "target", calculate_target(self.preset, self.now))


@attrs.frozen(kw_only=True)
class Orphans:
    """How many rows of one collection of a snapshot name a preset that the snapshot does not have."""

    collection: str
    preset_id: str
    count: int


@attrs.frozen(kw_only=True)
class GlobalSnapshot:
    """Everything one round of decisions looks at: all presets, and the rows that name them.

    `hard_limited` has the ids of the presets that may create nothing until they are reset. Raises
    `InvalidSnapshotError` with every preset id, prebuild id or backoff that is given twice.
    """

    presets: tuple[Preset, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Preset))
    running: tuple[Prebuild, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Prebuild))
    in_progress: tuple[InProgress, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(InProgress))
    pending: tuple[Pending, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Pending))
    backoffs: tuple[Backoff, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Backoff))
    hard_limited: tuple[str, ...] = attrs.field(default=(), converter=to_tuple, validator=_IDS)
    _index: _Index = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        problems = [
            *find_duplicates("presets", "id", [preset.id for preset in self.presets]),
            *find_duplicates("running", "id", [prebuild.id for prebuild in self.running]),
            *find_duplicates("backoffs", "preset_id", [backoff.preset_id for backoff in self.backoffs]),
        ]
        if problems:
            raise InvalidSnapshotError(tuple(problems))
        object.__setattr__(self, "_index", _Index.build(self))

    @property
    def orphans(self) -> tuple[Orphans, ...]:
        """The rows that name no preset of this snapshot, counted by collection and name (R1)."""
        return tuple(self._index.iterate_orphans())

    def for_preset(self, preset_id: str, now: datetime) -> PresetSnapshot:
        """One preset at one instant, its expired prebuilds split off (R2). Raises `UnknownPresetError`."""
        now = require_now("for_preset", now)
        index = self._index
        preset = index.presets.get(preset_id)
        if preset is None:
            raise UnknownPresetError(preset_id)
        running, expired = _split_expired(preset, index.running.get(preset_id, ()), now)
        return PresetSnapshot(
            preset=preset,
            now=now,
            running=running,
            expired=expired,
            in_progress=index.in_progress.get(preset_id, ()),
            pending=sum(row.count for row in index.pending.get(preset_id, ())),
            backoff=next(iter(index.backoffs.get(preset_id, ())), None),
            is_hard_limited=preset_id in index.hard_limited,
        )


def calculate_expiry_cutoff(preset: Preset, now: datetime) -> datetime | None:
    """The instant before which a prebuild must have been created to be expired at `now`; None if none is (R2).

    It is the later of `last_invalidated_at` and `now - ttl`: a prebuild of exactly the ttl is still good.
    """
    invalidated = preset.last_invalidated_at
    if not preset.ttl or preset.ttl > now - _EARLIEST:
        return invalidated
    outlived = now - preset.ttl
    return outlived if invalidated is None else max(invalidated, outlived)


def _split_expired(
    preset: Preset, rows: Sequence[Prebuild], now: datetime
) -> tuple[tuple[Prebuild, ...], tuple[Prebuild, ...]]:
    cutoff = calculate_expiry_cutoff(preset, now)
    if cutoff is None or not rows:
        return tuple(rows), ()
    expired = tuple([row for row in rows if row.created_at < cutoff])
    if not expired:
        return tuple(rows), ()
    return tuple([row for row in rows if row.created_at >= cutoff]), expired


@attrs.frozen(kw_only=True)
class _Index:
    """The rows of a snapshot, grouped by the preset they name."""

    presets: Mapping[str, Preset]
    running: Mapping[str, Sequence[Prebuild]]
    in_progress: Mapping[str, Sequence[InProgress]]
    pending: Mapping[str, Sequence[Pending]]
    backoffs: Mapping[str, Sequence[Backoff]]
    hard_limited: frozenset[str]

    @classmethod
    def build(cls, snapshot: GlobalSnapshot) -> _Index:
        return cls(
            presets={preset.id: preset for preset in snapshot.presets},
            running=_group(snapshot.running),
            in_progress=_group(snapshot.in_progress),
            pending=_group(snapshot.pending),
            backoffs=_group(snapshot.backoffs),
            hard_limited=frozenset(snapshot.hard_limited),
        )

    def iterate_orphans(self) -> Iterator[Orphans]:
        for collection in ("running", "in_progress", "pending", "backoffs"):
            rows: Mapping[str, Sequence[Any]] = getattr(self, collection)
            for preset_id in sorted(rows.keys() - self.presets.keys()):
                yield Orphans(collection=collection, preset_id=preset_id, count=len(rows[preset_id]))
        for preset_id in sorted(self.hard_limited - self.presets.keys()):
            yield Orphans(collection="hard_limited", preset_id=preset_id, count=1)


def _group(rows: Iterable[_R]) -> Mapping[str, Sequence[_R]]:
    groups: defaultdict[str, list[_R]] = defaultdict(list)
    for row in rows:
        groups[row.preset_id].append(row)
    return dict(groups)


def find_duplicates(collection: str, key: str, values: Sequence[object]) -> Iterator[str]:
    """A line for each value that an earlier row of the collection has already; only text is looked at."""
    first: dict[str, int] = {}
    for position, value in enumerate(values):
        if isinstance(value, str) and first.setdefault(value, position) != position:
            yield f"{collection}[{position}].{key}: {show(value)} is given twice, first by {collection}[{first[value]}]"
