"""The timeline: how many prebuilds a pool wanted, had and had under way, at every instant at which that changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from prebuilds.whatif.charts import chart_timelines
from prebuilds.whatif.lives import Lives
from prebuilds.whatif.records import PoolRecord
from prebuilds.whatif.traces import to_instant
from prebuilds.whatif.views import Rows

if TYPE_CHECKING:
    import altair as alt


@attrs.frozen(kw_only=True)
class Moment:
    """The counts of a pool from an instant on.

    `running` are all prebuilds that run, expired ones that no round has deleted yet included; `eligible` are those that
    a user could have; `starting` are the builds under way.
    """

    preset_id: str
    at: datetime
    target: int
    running: int
    eligible: int
    starting: int


@attrs.frozen(kw_only=True)
class Timeline(Rows):
    """The moments of one pool or of several, one pool after the other. Iterating gives them."""

    pools: tuple[PoolRecord, ...] = attrs.field(repr=False)

    def __iter__(self) -> Iterator[Moment]:
        for record in self.pools:
            yield from iterate_moments(record)

    def to_dicts(self) -> list[dict[str, Any]]:
        return [attrs.asdict(moment) for moment in self]

    def chart(self) -> alt.VConcatChart:
        """Target, running and starting prebuilds over time, and the claims with the misses among them, by preset.

        Raises `MissingExtraError` without the extra `notebook`.
        """
        return chart_timelines([(record, list(iterate_moments(record))) for record in self.pools])


def iterate_moments(record: PoolRecord) -> Iterator[Moment]:
    """The counts of one pool at its begin, and at every tick at which one of them changes, up to its end."""
    lives = Lives(record)
    counts = (lives.running, lives.eligible, lives.starting)
    targets = [change.at for change in record.targets]
    ticks = {record.begin, *targets}.union(*(steps.ticks for steps in counts))
    for at in sorted(tick for tick in ticks if tick <= record.end):
        running, eligible, starting = (steps.find_count(at) for steps in counts)
        yield Moment(
            preset_id=record.preset_id,
            at=to_instant(at),
            target=lives.find_target(at).desired,
            running=running,
            eligible=eligible,
            starting=starting,
        )
