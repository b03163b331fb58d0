"""Moments: the counts of a pool at every instant at which one of them changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import attrs

from prebuilds.whatif.simulation.event_log import EventLog
from prebuilds.whatif.simulation.lifetimes import Lifetimes
from prebuilds.whatif.traces.ticks import to_instant


@attrs.frozen(kw_only=True)
class Moment:
    """The counts of a pool from an instant on.

    `running` counts all prebuilds that run, including expired ones that no round has deleted yet. `eligible` counts
    those that a user could claim, and `starting` the builds under way.
    """

    preset_id: str
    at: datetime
    target: int
    running: int
    eligible: int
    starting: int


def iterate_moments(log: EventLog) -> Iterator[Moment]:
    """The counts of one pool at its start and at every later tick at which one of them changes."""
    lifetimes = Lifetimes(log)
    counts = (lifetimes.running, lifetimes.eligible, lifetimes.starting)
    targets = [change.at for change in log.targets]
    ticks = {log.begin, *targets}.union(*(steps.ticks for steps in counts))
    for at in sorted(tick for tick in ticks if tick <= log.end):
        running, eligible, starting = (steps.find_count(at) for steps in counts)
        yield Moment(
            preset_id=log.preset_id,
            at=to_instant(at),
            target=lifetimes.find_target(at).desired,
            running=running,
            eligible=eligible,
            starting=starting,
        )
