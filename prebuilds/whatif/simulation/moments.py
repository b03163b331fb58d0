"""Moments: the counts of a pool at every instant at which one of them changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import attrs

from prebuilds.whatif.simulation.event_log import PoolRecord
from prebuilds.whatif.simulation.lifetimes import Lives
from prebuilds.whatif.traces.ticks import to_instant


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
