"""Shards: several reconcilers work at the same time, each on its own part of the presets.

- The shard of a preset depends only on its id and the number of shards. It is the same on every machine, for ever.
- A reconciler of a shard sees only the rows of that shard, including rows of presets that no longer exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zlib import crc32

import attrs

from prebuilds.decision.fields import check
from prebuilds.decision.models import Build, Preset
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.ports import FleetReads

_MAX_SHARDS = 1_024
_COUNT = check(
    f"a whole number from 1 to {_MAX_SHARDS}", lambda value: type(value) is int and 1 <= value <= _MAX_SHARDS
)


@attrs.frozen(kw_only=True)
class Shard:
    """One of `count` parts of the presets. `index` counts from 0."""

    index: int = attrs.field()
    count: int = attrs.field(validator=_COUNT)

    def __attrs_post_init__(self) -> None:
        if type(self.index) is not int or not 0 <= self.index < self.count:
            raise InvalidValueError("Shard", "index", self.index, f"a whole number from 0 to {self.count - 1}")

    def has(self, preset_id: str) -> bool:
        """Whether a preset with this id is in this shard."""
        return crc32(preset_id.encode()) % self.count == self.index


class ShardReads:
    """The `FleetReads` of one shard: it filters what `reads` returns."""

    def __init__(self, reads: FleetReads, shard: Shard) -> None:
        self._reads = reads
        self._has = shard.has

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        return [preset for preset in self._reads.list_presets(preset_id) if self._has(preset.id)]

    def list_prebuilds(self, preset_id: str | None = None) -> Sequence[Workspace]:
        return [row for row in self._reads.list_prebuilds(preset_id) if self._has(row.preset_id)]

    def list_builds(self, *, ended_since: datetime, latest: int, preset_id: str | None = None) -> Sequence[Build]:
        builds = self._reads.list_builds(ended_since=ended_since, latest=latest, preset_id=preset_id)
        return [build for build in builds if self._has(build.preset_id)]

    def list_resets(self, preset_id: str | None = None) -> Sequence[tuple[str, datetime]]:
        return [reset for reset in self._reads.list_resets(preset_id) if self._has(reset[0])]

    def list_memberships(self) -> Sequence[str]:
        return self._reads.list_memberships()

    def is_paused(self) -> bool:
        return self._reads.is_paused()
