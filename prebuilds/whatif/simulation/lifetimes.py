"""Lives: from when to when each prebuild of a record could be claimed, and what put an end to it.

- A prebuild is *good* from the end of its build until it is claimed, expires, is outdated by a promotion or is deleted.
  Rounds come later than that: one that has expired still runs, and costs, until a round deletes it.
- A count at a tick is the one after all that happens at this tick.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import cached_property
from itertools import accumulate

from prebuilds.whatif.simulation.event_log import NEVER, Fate, PoolRecord, TargetChange
from prebuilds.whatif.traces.ticks import count_ticks, to_ticks


class Loss(Enum):
    """What put an end to a good prebuild."""

    CLAIMED = "claimed"
    EXPIRED = "expired"
    OUTDATED = "outdated"
    """A promotion made its template version inactive."""
    DELETED = "deleted"


_LOSSES = {Fate.CLAIMED: Loss.CLAIMED, Fate.EXPIRED: Loss.EXPIRED, Fate.DELETED: Loss.DELETED}
_NEVER_GOOD = (Fate.FAILED, Fate.AWAITED)


class Steps:
    """A count that changes at some ticks and not between them."""

    def __init__(self, changes: Iterable[tuple[int, int]]) -> None:
        """`changes` are ticks and what is added at them, in any order."""
        added: dict[int, int] = {}
        for at, change in changes:
            added[at] = added.get(at, 0) + change
        self.ticks = sorted(at for at, change in added.items() if change)
        self.counts = list(accumulate(added[at] for at in self.ticks))

    def find_count(self, at: int) -> int:
        """The count after all that happens at a tick; 0 before the first change."""
        place = bisect_right(self.ticks, at)
        return self.counts[place - 1] if place else 0

    def find_last(self, at: int, begin: int, accepts: Callable[[int], bool]) -> int | None:
        """The last tick from `begin` to `at` at which the count is accepted; None if it is at none."""
        until, place = at, bisect_right(self.ticks, at) - 1
        while place >= 0 and until >= begin:
            if accepts(self.counts[place]):
                return until
            until, place = self.ticks[place] - 1, place - 1
        return None


class Lives:
    """The lives of all prebuilds of one record, indexed once."""

    def __init__(self, record: PoolRecord) -> None:
        self._record = record
        self._promoted = [generation.since for generation in record.presets[1:]]

    @cached_property
    def good(self) -> list[tuple[int, int, Loss | None]]:
        """For each prebuild that was ever good: from when, until when, and why it ended; in no order."""
        return list(self._iterate_good())

    @cached_property
    def eligible(self) -> Steps:
        """How many prebuilds a user could have."""
        return Steps(_iterate_changes((begin, end) for begin, end, _ in self.good))

    @cached_property
    def running(self) -> Steps:
        """How many prebuilds run, expired and outdated ones included."""
        record = self._record
        pairs = zip(record.ended, record.gone, strict=True)
        return Steps(_iterate_changes((ended, gone) for ended, gone in pairs if ended < gone))

    @cached_property
    def starting(self) -> Steps:
        """How many builds are under way."""
        record = self._record
        begins = (max(created, record.begin) for created in record.created)
        return Steps(_iterate_changes(zip(begins, record.ended, strict=True)))

    @cached_property
    def became_good(self) -> list[int]:
        """The ticks at which prebuilds became good, in order."""
        return sorted(begin for begin, _, _ in self.good)

    @cached_property
    def lost(self) -> dict[Loss, list[int]]:
        """For each reason the ticks at which good prebuilds were lost, in order."""
        return {loss: sorted(end for _, end, why in self.good if why is loss) for loss in Loss}

    @cached_property
    def failed(self) -> list[int]:
        """The ticks at which builds failed, in order."""
        record = self._record
        return sorted(gone for gone, fate in zip(record.gone, record.fates, strict=True) if fate is Fate.FAILED)

    @cached_property
    def longest_lead(self) -> int:
        """The longest time that any build took."""
        record = self._record
        return max((ended - created for created, ended in zip(record.created, record.ended, strict=True)), default=0)

    def list_under_way(self, at: int) -> list[int]:
        """The numbers of the builds of the active preset that are under way after all that happens at a tick."""
        record, generation = self._record, bisect_right(self._promoted, at)
        candidates = range(bisect_right(record.created, at) - 1, -1, -1)
        found = []
        for number in candidates:
            if number >= record.num_initial and record.created[number] + self.longest_lead < at:
                break
            if record.ended[number] > at and record.generations[number] == generation:
                found.append(number)
        return found[::-1]

    def find_target(self, at: int) -> TargetChange:
        """The target at a tick, and since when it holds."""
        targets = self._record.targets
        return targets[bisect_right(targets, at, key=lambda change: change.at) - 1]

    def list_target_changes(self, since: int, at: int) -> list[tuple[TargetChange, TargetChange]]:
        """The changes of the target after one tick and up to another, each with the target before it."""
        pairs = zip(self._record.targets, self._record.targets[1:], strict=False)
        return [(old, new) for old, new in pairs if since < new.at <= at and new.desired != old.desired]

    def _iterate_good(self) -> Iterator[tuple[int, int, Loss | None]]:
        record = self._record
        rows = zip(record.created, record.ended, record.gone, record.fates, record.generations, strict=True)
        for number, (created, ended, gone, fate, generation) in enumerate(rows):
            if fate in _NEVER_GOOD or ended > record.end or number in record.outdated:
                continue
            until, loss = self._find_end(created, generation, gone, _LOSSES.get(fate) if fate else None)
            if ended < until or loss is Loss.CLAIMED:  # some are claimed at the very instant
                yield ended, until, loss

    def _find_end(self, created: int, generation: int, gone: int, loss: Loss | None) -> tuple[int, Loss | None]:
        until = gone
        # A promotion comes before all else at its instant, and what a round then deletes is lost to it.
        if generation < len(self._promoted) and self._promoted[generation] <= until:
            until, loss = self._promoted[generation], Loss.OUTDATED
        expired = self._find_expiry(created, generation)
        return (expired, Loss.EXPIRED) if expired < until else (until, loss)

    def _find_expiry(self, created: int, generation: int) -> int:
        record, preset = self._record, self._record.presets[generation].preset
        known = preset.last_invalidated_at
        if known and created < to_ticks(known) <= record.begin:
            return created
        place = bisect_right(record.invalidations, created)
        invalidated = record.invalidations[place] if place < len(record.invalidations) else NEVER
        outlived = created + count_ticks(preset.ttl) + 1 if preset.ttl else NEVER
        return min(invalidated, outlived)


def _iterate_changes(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for begin, end in spans:
        yield begin, 1
        yield end, -1
