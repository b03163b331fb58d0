"""What a plan is made of: which presets to read, and the rows that a store returns for them.

- The shard of a preset depends only on its id and the number of shards. It is the same on every machine, for ever.
- A row belongs to the preset that it names, even if that preset no longer exists. So every row is in one shard.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, TypeVar
from zlib import crc32

import attrs

from prebuilds.decision.fields import check, instance_of, optional, to_tuple
from prebuilds.decision.models import Build, Preset
from prebuilds.decision.policies.budgets import Budget
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.models import Workspace

_Row = TypeVar("_Row", Workspace, Build)
_MAX_SHARDS = 1_024
_COUNT = check(
    f"a whole number from 1 to {_MAX_SHARDS}", lambda value: type(value) is int and 1 <= value <= _MAX_SHARDS
)
_IDS = check(
    "a collection of ids",
    lambda value: isinstance(value, frozenset) and all(isinstance(preset_id, str) for preset_id in value),
)


def hash_preset(preset_id: str) -> int:
    """The CRC-32 of the id in UTF-8, as in gzip and PNG: from 0 to 4,294,967,295."""
    return crc32(preset_id.encode())


@attrs.frozen(kw_only=True)
class Shard:
    """One of `count` parts of the presets. `index` counts from 0.

    A preset is in it if `hash_preset` of its id, divided by `count`, leaves the remainder `index`.
    """

    index: int = attrs.field()
    count: int = attrs.field(validator=_COUNT)

    def __attrs_post_init__(self) -> None:
        if type(self.index) is not int or not 0 <= self.index < self.count:
            raise InvalidValueError("Shard", "index", self.index, f"a whole number from 0 to {self.count - 1}")

    def has(self, preset_id: str) -> bool:
        """Whether a preset with this id is in this shard."""
        return hash_preset(preset_id) % self.count == self.index


def _to_frozenset(value: object) -> Any:
    """Any collection but text as a frozenset. Others are returned as they are, for the validator to refuse."""
    return frozenset(value) if isinstance(value, Collection) and not isinstance(value, str) else value


@attrs.frozen(kw_only=True)
class Selection:
    """The presets to read: those with these ids, and in this shard. None stands for all. `select` makes one."""

    preset_ids: frozenset[str] | None = attrs.field(default=None, converter=_to_frozenset, validator=optional(_IDS))
    shard: Shard | None = attrs.field(default=None, validator=optional(instance_of(Shard)))

    def has(self, preset_id: str) -> bool:
        """Whether a preset with this id is to be read."""
        is_named = self.preset_ids is None or preset_id in self.preset_ids
        return is_named and (self.shard is None or self.shard.has(preset_id))


ALL_PRESETS = Selection()
"""Every preset there is."""


def select(*preset_ids: str) -> Selection:
    """The presets with these ids. Unknown ids select nothing."""
    return Selection(preset_ids=preset_ids)


@attrs.frozen(kw_only=True)
class FleetRows:
    """The rows of some presets, all of one moment. `FleetReads.read_rows` says which they are, and in what order."""

    presets: tuple[Preset, ...] = attrs.field(default=(), converter=to_tuple)
    prebuilds: tuple[Workspace, ...] = attrs.field(default=(), converter=to_tuple)
    builds: tuple[Build, ...] = attrs.field(default=(), converter=to_tuple)
    resets: tuple[tuple[str, datetime], ...] = attrs.field(default=(), converter=to_tuple)
    memberships: tuple[str, ...] = attrs.field(default=(), converter=to_tuple)
    budgets: tuple[Budget, ...] = attrs.field(default=(), converter=to_tuple)
    is_paused: bool = False

    def select(self, selection: Selection) -> FleetRows:
        """The part that concerns these presets. Memberships, budgets and the pause concern all."""
        return attrs.evolve(
            self,
            presets=[preset for preset in self.presets if selection.has(preset.id)],
            prebuilds=_filter(self.prebuilds, selection),
            builds=_filter(self.builds, selection),
            resets=[reset for reset in self.resets if selection.has(reset[0])],
        )


def _filter(rows: Iterable[_Row], selection: Selection) -> tuple[_Row, ...]:
    return tuple(row for row in rows if selection.has(row.preset_id))
