"""Explanation: the chain of causes for a claim that found nothing ready, and the words for it.

- First come facts, each of which the record's timeline shows; words are made of facts alone.
- The facts are an account of a period that ends with the claim. In it nothing is left out: what was good at its begin
  and what became good later was claimed, expired, outdated or deleted, as nothing was left.
- Nor of the target: each prebuild that it asks for is under way, or there is a reason why it is not.
- A fact at an instant is as of the end of this instant, when all that happens at it has happened.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import attrs

from prebuilds.decision.explaining import describe_count, describe_duration, describe_instant
from prebuilds.decision.targets import TargetSource
from prebuilds.whatif.lives import Lives, Loss
from prebuilds.whatif.records import Fate, Hold, HoldReason, PoolRecord, TargetChange
from prebuilds.whatif.traces import to_instant

_LOST = {
    Loss.EXPIRED: "expired",
    Loss.OUTDATED: "lost to the promotion",
    Loss.DELETED: "deleted beyond the target",
}


@attrs.frozen(kw_only=True)
class TargetStep:
    """A window opened or closed, and with it the target changed; `first_ready_at` is the first prebuild built since."""

    at: datetime
    before: int
    after: int
    first_ready_at: datetime | None


@attrs.frozen(kw_only=True)
class Lost:
    """How many good prebuilds a period lost for one reason, and when it lost the last of them."""

    reason: Loss
    count: int
    last_at: datetime


@attrs.frozen(kw_only=True)
class Miss:
    """Why a claim found nothing ready, by an account of the period after `since`, up to `at`.

    In it `had + became_ready` is what was `lost`. At its end `under_way - spoken_for + lacking` is the target or more.
    """

    preset_id: str
    claim: int
    """The place of the claim in the trace, from 0."""
    at: datetime
    empty_since: datetime
    since: datetime
    had: int
    """How many prebuilds were good at `since`."""
    became_ready: int
    claims: int
    """How many users claimed, this one included."""
    first_claim_at: datetime
    lost: tuple[Lost, ...]
    failed: int
    """How many builds failed."""
    failed_at: datetime | None
    """When the last of them failed."""
    target_steps: tuple[TargetStep, ...]
    promoted_at: tuple[datetime, ...]
    invalidated_at: tuple[datetime, ...]
    target: int
    target_source: TargetSource
    under_way: int
    """How many builds are under way, those that waiting users will have included."""
    spoken_for: int
    """How many users wait for one."""
    first_ready_at: datetime | None
    """When the first of the builds under way is ready that do not fail."""
    lead_time: timedelta | None
    """How long that one takes, from its creation on."""
    lacking: int
    """How many the target lacks that are not even under way."""
    held: Hold | None
    """Why the loop creates nothing, if it does not."""
    next_round_at: datetime | None
    """When the loop wakes next; None if it wakes at once, or before the end no more."""

    def __str__(self) -> str:
        return "; ".join([self._describe_emptiness(), *self._describe_changes(), *self._describe_supply()])

    def _describe_emptiness(self) -> str:
        span = f" in {describe_duration(self.at - self.first_claim_at)}" if self.claims > 1 else ""
        lead = f", lead time {describe_duration(self.lead_time)}" if self.lead_time is not None else ""
        return (
            f"{self.preset_id}, {describe_instant(self.at)}: pool empty since {self._show(self.empty_since)}: "
            f"{describe_count(self.claims, 'claim')}{span}, target {self.target}{lead}"
        )

    def _describe_changes(self) -> Iterator[str]:
        for step in self.target_steps:
            verb = "raised" if step.after > step.before else "lowered"
            ready = f", first ready at {self._show(step.first_ready_at)}" if step.first_ready_at else ""
            yield f"window {verb} the target from {step.before} to {step.after} at {self._show(step.at)}{ready}"
        for at in self.promoted_at:
            yield f"template promoted at {self._show(at)}"
        for at in self.invalidated_at:
            yield f"prebuilds invalidated at {self._show(at)}"
        for lost in self.lost:
            if lost.reason in _LOST:
                yield f"{lost.count} {_LOST[lost.reason]}{self._describe_last(lost.count, lost.last_at)}"
        if self.failed_at:
            yield f"{describe_count(self.failed, 'build')} failed{self._describe_last(self.failed, self.failed_at)}"

    def _describe_last(self, count: int, at: datetime) -> str:
        return f" at {self._show(at)}" if count == 1 else f", the last at {self._show(at)}"

    def _describe_supply(self) -> Iterator[str]:
        if self.under_way:
            ready = f"the first ready at {self._show(self.first_ready_at)}" if self.first_ready_at else "none succeeds"
            yield f"{self.under_way} under way, {ready}"
        if self.spoken_for:
            yield f"{describe_count(self.spoken_for, 'user')} waiting"
        if not self.target:
            source = {TargetSource.INACTIVE: "the preset is inactive", TargetSource.SCHEDULE: "a window wants none"}
            yield source.get(self.target_source, "the preset wants none")
        elif self.lacking:
            yield f"{self.lacking} not begun: {self._describe_lack()}"

    def _describe_lack(self) -> str:
        if self.held and self.held.reason is HoldReason.HARD_LIMITED:
            return f"hard-limited since {self._show(to_instant(self.held.at))}"
        if self.held:
            until = self._show(to_instant(self.held.until))
            return f"backing off until {until} after {describe_count(self.held.num_failed, 'failed build')}"
        if self.next_round_at:
            return f"the loop wakes next at {self._show(self.next_round_at)}"
        return "the loop wakes no more before the end"

    def _show(self, instant: datetime) -> str:
        """The time of day, with the date if it is not that of the claim."""
        text = describe_instant(instant).removesuffix(" UTC")
        return text.partition(" ")[2] if instant.date() == self.at.date() else text


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
        first_claim = bisect_right(record.claims, since)
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
            held=self._find_hold(at),
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
