"""Lifetimes: from when to when a user could claim each prebuild of a log, and why that ended.

- A prebuild is *good* from the end of its build, or from the promotion of its candidate, until it is claimed, expires,
  is outdated by a promotion or is deleted. An expired one still runs, and costs money, until a round deletes it.
- The count at a tick is the count after everything that happens at that tick.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import cached_property
from itertools import accumulate

from prebuilds.decision.lifetimes.aging import calculate_own_ttl
from prebuilds.whatif.simulation.event_log import (
    NEVER,
    EventLog,
    PrebuildOutcome,
    TargetChange,
    make_prefix,
    name_prebuild,
)
from prebuilds.whatif.traces.ticks import count_ticks, to_ticks


class LossReason(Enum):
    """Why a good prebuild was lost to the pool."""

    CLAIMED = "claimed"
    EXPIRED = "expired"
    OUTDATED = "outdated"
    """A promotion made its template version inactive."""
    DELETED = "deleted"


_LOSS_REASONS = {
    PrebuildOutcome.CLAIMED: LossReason.CLAIMED,
    PrebuildOutcome.EXPIRED: LossReason.EXPIRED,
    PrebuildOutcome.DELETED: LossReason.DELETED,
}
_NEVER_GOOD = (PrebuildOutcome.FAILED, PrebuildOutcome.AWAITED)


class StepFunction:
    """A count that changes at some ticks and stays the same between them."""

    def __init__(self, changes: Iterable[tuple[int, int]]) -> None:
        """`changes` are ticks with the amount to add at each, in any order."""
        added: dict[int, int] = {}
        for at, change in changes:
            added[at] = added.get(at, 0) + change
        self.ticks = sorted(at for at, change in added.items() if change)
        self.counts = list(accumulate(added[at] for at in self.ticks))

    def find_count(self, at: int) -> int:
        """The count after everything that happens at a tick; 0 before the first change."""
        place = bisect_right(self.ticks, at)
        return self.counts[place - 1] if place else 0

    def find_last(self, at: int, begin: int, accepts: Callable[[int], bool]) -> int | None:
        """The last tick from `begin` to `at` whose count is accepted; None if there is none."""
        until, place = at, bisect_right(self.ticks, at) - 1
        while place >= 0 and until >= begin:
            if accepts(self.counts[place]):
                return until
            until, place = self.ticks[place] - 1, place - 1
        return None


class Lifetimes:
    """The lifetimes of all prebuilds of one log, indexed once."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._since = [active.since for active in log.presets]
        self._promoted = [since for since in self._since[1:] if since < NEVER]

    @cached_property
    def good(self) -> list[tuple[int, int, LossReason | None]]:
        """For each prebuild that was ever good: since when, until when, and why that ended; in no order."""
        return list(self._iterate_good())

    @cached_property
    def eligible(self) -> StepFunction:
        """How many prebuilds a user could claim."""
        return StepFunction(_iterate_changes((begin, end) for begin, end, _ in self.good))

    @cached_property
    def running(self) -> StepFunction:
        """How many prebuilds run, including expired and outdated ones."""
        log = self._log
        pairs = zip(log.ended, log.gone, strict=True)
        return StepFunction(_iterate_changes((ended, gone) for ended, gone in pairs if ended < gone))

    @cached_property
    def starting(self) -> StepFunction:
        """How many builds are under way."""
        log = self._log
        begins = (max(created, log.begin) for created in log.created)
        return StepFunction(_iterate_changes(zip(begins, log.ended, strict=True)))

    @cached_property
    def became_good(self) -> list[int]:
        """The ticks at which prebuilds became good, in order."""
        return sorted(begin for begin, _, _ in self.good)

    @cached_property
    def lost(self) -> dict[LossReason, list[int]]:
        """For each reason, the ticks at which good prebuilds were lost, in order."""
        return {loss: sorted(end for _, end, why in self.good if why is loss) for loss in LossReason}

    @cached_property
    def failed(self) -> list[int]:
        """The ticks at which builds failed, in order."""
        log = self._log
        return sorted(
            gone for gone, outcome in zip(log.gone, log.outcomes, strict=True) if outcome is PrebuildOutcome.FAILED
        )

    @cached_property
    def longest_lead(self) -> int:
        """The longest duration of any build up to the end, in microseconds. A build that hangs lasts to the end."""
        log = self._log
        ends = (log.end if ended == NEVER else ended for ended in log.ended)
        return max((ended - created for created, ended in zip(log.created, ends, strict=True)), default=0)

    def list_under_way(self, at: int) -> list[int]:
        """The numbers of the active preset's builds that are under way after everything that happens at a tick."""
        log, preset_index = self._log, bisect_right(self._promoted, at)
        candidates = range(bisect_right(log.created, at) - 1, -1, -1)
        found = []
        for number in candidates:
            if number >= log.num_initial and log.created[number] + self.longest_lead < at:
                break
            if log.ended[number] > at and log.preset_indexes[number] == preset_index:
                found.append(number)
        return found[::-1]

    def succeeds(self, number: int) -> bool:
        """Whether this build ends with a prebuild that is ready."""
        log = self._log
        is_lost = log.ended[number] == NEVER or number in log.never_ready
        return not is_lost and log.outcomes[number] is not PrebuildOutcome.FAILED

    @cached_property
    def unready(self) -> StepFunction:
        """How many prebuilds take a place although they never become ready."""
        return StepFunction(_iterate_changes(map(self._find_place, self._log.never_ready)))

    def find_target(self, at: int) -> TargetChange:
        """The target at a tick, with the tick from which it holds."""
        targets = self._log.targets
        return targets[bisect_right(targets, at, key=lambda change: change.at) - 1]

    def list_target_changes(self, since: int, at: int) -> list[tuple[TargetChange, TargetChange]]:
        """The changes of the target after `since`, up to `at`, each with the target before it."""
        pairs = zip(self._log.targets, self._log.targets[1:], strict=False)
        return [(old, new) for old, new in pairs if since < new.at <= at and new.desired != old.desired]

    def _iterate_good(self) -> Iterator[tuple[int, int, LossReason | None]]:
        log = self._log
        rows = zip(log.ended, log.gone, log.outcomes, strict=True)
        for number, (ended, gone, outcome) in enumerate(rows):
            begin = self._find_begin(number, ended)
            if outcome in _NEVER_GOOD or begin > log.end or number in log.outdated or number in log.never_ready:
                continue
            until, loss = self._find_end(number, gone, _LOSS_REASONS.get(outcome) if outcome else None)
            if (
                begin < until or loss is LossReason.CLAIMED
            ):  # a prebuild can be claimed at the instant at which it becomes ready
                yield begin, until, loss

    def _find_begin(self, number: int, ended: int) -> int:
        """From when on a prebuild that was ready at `ended` could be claimed: a candidate's once promoted (R17)."""
        preset_index = self._log.preset_indexes[number]
        return max(ended, self._since[preset_index]) if preset_index else ended

    def _find_end(self, number: int, gone: int, loss: LossReason | None) -> tuple[int, LossReason | None]:
        until, preset_index = gone, self._log.preset_indexes[number]
        # A promotion comes first at its instant. What a round then deletes is lost to the promotion.
        if preset_index < len(self._promoted) and self._promoted[preset_index] <= until:
            until, loss = self._promoted[preset_index], LossReason.OUTDATED
        expired = self._find_expiry(number)
        return (expired, LossReason.EXPIRED) if expired < until else (until, loss)

    def _find_expiry(self, number: int) -> int:
        log, created = self._log, self._log.created[number]
        preset = log.presets[log.preset_indexes[number]].preset
        known = preset.last_invalidated_at
        if known and created < to_ticks(known) <= log.begin:
            return created
        place = bisect_right(log.invalidations, created)
        invalidated = log.invalidations[place] if place < len(log.invalidations) else NEVER
        ttl = calculate_own_ttl(preset, self._names.get(number) or name_prebuild(make_prefix(preset), number))
        outlived = created + count_ticks(ttl) + 1 if ttl else NEVER
        return min(invalidated, outlived)

    def _find_place(self, number: int) -> tuple[int, int]:
        """From when to when a prebuild that never becomes ready takes a place: until it is stuck at the latest."""
        log, ended = self._log, self._log.ended[number]
        deadline = log.presets[log.preset_indexes[number]].preset.ready_deadline
        until = self._find_end(number, log.gone[number], None)[0]
        stuck = ended + count_ticks(deadline) if deadline else NEVER
        return ended, max(ended, min(until, stuck))

    @cached_property
    def _names(self) -> dict[int, str]:
        return dict(self._log.given)


def _iterate_changes(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for begin, end in spans:
        yield begin, 1
        yield end, -1
