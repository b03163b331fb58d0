"""The explainer: finds the facts about the misses of one record."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from prebuilds.whatif.simulation.event_log import NEVER, Fate, Hold, PoolRecord, TargetChange
from prebuilds.whatif.simulation.lifetimes import Lives
from prebuilds.whatif.simulation.misses.facts import Lost, Miss, TargetStep
from prebuilds.whatif.traces.ticks import to_instant


class Explainer:
    """Finds the facts of the misses of one record."""

    def __init__(self, record: PoolRecord) -> None:
        self._record = record
        self._lives = Lives(record)

    def find_miss(self, index: int) -> Miss:
        """The facts of the so many-th miss, from 0."""
        record, lives = self._record, self._lives
        claim = record.missed[index]
        at = record.claims[claim]
        under_way, target = lives.list_under_way(at), lives.find_target(at)
        since = self._find_begin(at, target.desired, under_way)
        spoken_for = self._count_waiting(index, at)
        lacking = max(target.desired - max(len(under_way) - spoken_for, 0), 0)
        first = min(self._iterate_succeeding(under_way), default=None)
        first_claim, held = bisect_right(record.claims, since), self._find_hold(at)
        return Miss(
            preset_id=record.preset_id,
            claim=claim,
            at=to_instant(at),
            empty_since=to_instant(self._find_emptying(at)),
            since=to_instant(since),
            had=lives.eligible.find_count(since),
            became_ready=count_between(lives.became_good, since, at),
            claims=claim + 1 - first_claim,
            first_claim_at=to_instant(record.claims[first_claim]),
            lost=tuple(self._iterate_lost(since, at)),
            failed=count_between(lives.failed, since, at),
            failed_at=find_last_between(lives.failed, since, at),
            target_steps=tuple(self._iterate_steps(since, at)),
            promoted_at=tuple(to_instant(one.since) for one in record.presets[1:] if since < one.since <= at),
            invalidated_at=tuple(to_instant(one) for one in record.invalidations if since < one <= at),
            target=target.desired,
            target_source=target.source,
            under_way=len(under_way),
            spoken_for=spoken_for,
            first_ready_at=None if first is None else to_instant(first[0]),
            lead_time=None if first is None else timedelta(microseconds=first[0] - record.created[first[1]]),
            lacking=lacking,
            held_by=held.reason if held else None,
            held_since=to_instant(held.at) if held else None,
            held_until=to_instant(held.until) if held and held.until < NEVER else None,
            num_failed=held.num_failed if held else 0,
            next_round_at=self._find_next_round(at),
        )

    def _find_begin(self, at: int, target: int, under_way: Sequence[int]) -> int:
        """The begin of the period that accounts for a miss: when the pool last had all that is wanted now.

        But what is longer ago than the slowest of the builds under way, and than the wait for the round that began it,
        need not be told: whatever was taken before has been replaced since.
        """
        record = self._record
        begin = record.begin - 1
        if under_way:
            longest = max(record.ended[number] - record.created[number] for number in under_way)
            begin = max(begin, at - longest - (record.interval or 0) - 1)
        full = self._lives.eligible.find_last(at, begin, lambda count: count >= max(target, 1))
        return begin if full is None else full

    def _find_emptying(self, at: int) -> int:
        begin = self._record.begin
        last = self._lives.eligible.find_last(at, begin, lambda count: count > 0)
        return begin if last is None else last + 1

    def _iterate_lost(self, since: int, at: int) -> Iterator[Lost]:
        for reason, ticks in self._lives.lost.items():
            last_at = find_last_between(ticks, since, at)
            if last_at:
                yield Lost(reason=reason, count=count_between(ticks, since, at), last_at=last_at)

    def _count_waiting(self, index: int, at: int) -> int:
        """How many of the missed, up to this one, still wait at a tick; those who build their own do not."""
        record = self._record
        if not record.can_wait:
            return 0
        # Who came first is served first, so that those who wait are the last ones.
        first, unserved = index, len(record.missed) - record.unserved
        while first >= 0 and (first >= unserved or record.claims[record.missed[first]] + record.waits[first] > at):
            first -= 1
        return index - first

    def _iterate_succeeding(self, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
        record = self._record
        return ((record.ended[number], number) for number in numbers if record.fates[number] is not Fate.FAILED)

    def _iterate_steps(self, since: int, at: int) -> Iterator[TargetStep]:
        for before, after in self._lives.list_target_changes(since, at):
            first = self._find_first_ready(after) if after.desired > before.desired else None
            yield TargetStep(
                at=to_instant(after.at),
                before=before.desired,
                after=after.desired,
                first_ready_at=None if first is None else to_instant(first),
            )

    def _find_first_ready(self, change: TargetChange) -> int | None:
        """When the first of the builds that were begun from a change of the target on was ready."""
        record = self._record
        numbers = range(bisect_right(record.created, change.at - 1), len(record.created))
        first: int | None = None
        for number in numbers:
            if first is not None and record.created[number] >= first:
                break
            if record.fates[number] is not Fate.FAILED:
                first = record.ended[number] if first is None else min(first, record.ended[number])
        return first

    def _find_hold(self, at: int) -> Hold | None:
        """What keeps the preset that is active at a tick from creating, by its latest round."""
        record = self._record
        place = bisect_right(record.holds, at, key=lambda hold: hold.at)
        hold = record.holds[place - 1] if place else None
        since = max(generation.since for generation in record.presets if generation.since <= at)
        return hold if hold and hold.reason and hold.at >= since and hold.until >= at else None

    def _find_next_round(self, at: int) -> datetime | None:
        record = self._record
        if record.interval is None:
            return None
        following = record.begin + ((at - record.begin) // record.interval + 1) * record.interval
        return to_instant(following) if following <= record.end else None


def count_between(ticks: Sequence[int], since: int, at: int) -> int:
    """How many ticks, which are in order, come after `since`, up to `at`."""
    return bisect_right(ticks, at) - bisect_right(ticks, since)


def find_last_between(ticks: Sequence[int], since: int, at: int) -> datetime | None:
    """The last of these ticks after `since`, up to `at`."""
    return to_instant(ticks[bisect_right(ticks, at) - 1]) if count_between(ticks, since, at) else None
