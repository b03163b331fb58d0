"""The explainer finds the facts about the misses of one event log."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from prebuilds.decision.targets import TargetSource
from prebuilds.whatif.simulation.event_log import NEVER, EventLog, Hold, TargetChange
from prebuilds.whatif.simulation.lifetimes import Lifetimes
from prebuilds.whatif.simulation.misses.facts import Lost, Miss, TargetStep
from prebuilds.whatif.traces.ticks import to_instant


class MissExplainer:
    """Finds the facts about the misses of one event log."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lifetimes = Lifetimes(log)

    def find_miss(self, index: int) -> Miss:
        """The facts about one miss. Misses are numbered from 0."""
        log, lifetimes = self._log, self._lifetimes
        claim = log.missed[index]
        at = log.claims[claim]
        under_way, target = lifetimes.list_under_way(at), lifetimes.find_target(at)
        since = self._find_begin(at, target.desired, under_way)
        spoken_for = self._count_waiting(index, at)
        unready = lifetimes.unready.find_count(at)
        lacking = max(target.desired - max(len(under_way) - spoken_for, 0) - unready, 0)
        first_claim = bisect_right(log.claims, since)
        return Miss(
            preset_id=log.preset_id,
            claim=claim,
            at=to_instant(at),
            empty_since=to_instant(self._find_emptying(at)),
            since=to_instant(since),
            had=lifetimes.eligible.find_count(since),
            became_ready=count_between(lifetimes.became_good, since, at),
            claims=claim + 1 - first_claim,
            first_claim_at=to_instant(log.claims[first_claim]),
            **self._find_changes(since, at),
            target=target.desired,
            target_source=target.source,
            under_way=len(under_way),
            spoken_for=spoken_for,
            unready=unready,
            **self._find_first_build(under_way),
            lacking=lacking,
            **self._find_hold_facts(at),
            next_round_at=self._find_next_round(at),
        )

    def _find_changes(self, since: int, at: int) -> dict[str, Any]:
        """What happened to the pool in the period."""
        log, failed = self._log, self._lifetimes.failed
        return {
            "lost": tuple(self._iterate_lost(since, at)),
            "failed": count_between(failed, since, at),
            "failed_at": find_last_between(failed, since, at),
            "target_steps": tuple(self._iterate_steps(since, at)),
            "promoted_at": tuple(to_instant(one.since) for one in log.presets[1:] if since < one.since <= at),
            "invalidated_at": tuple(to_instant(one) for one in log.invalidations if since < one <= at),
        }

    def _find_first_build(self, under_way: Sequence[int]) -> dict[str, Any]:
        """When the first of these builds is ready, and how long it takes."""
        ready, number = min(self._iterate_succeeding(under_way), default=(None, 0))
        if ready is None:
            return {"first_ready_at": None, "lead_time": None}
        lead_time = timedelta(microseconds=ready - self._log.created[number])
        return {"first_ready_at": to_instant(ready), "lead_time": lead_time}

    def _find_hold_facts(self, at: int) -> dict[str, Any]:
        """Why the loop creates nothing at a tick, if it does not."""
        hold = self._find_hold(at)
        return {
            "held_by": hold.reason if hold else None,
            "held_since": to_instant(hold.at) if hold else None,
            "held_until": to_instant(hold.until) if hold and hold.until < NEVER else None,
            "num_failed": hold.num_failed if hold else 0,
        }

    def _find_begin(self, at: int, target: int, under_way: Sequence[int]) -> int:
        """The start of the period that accounts for a miss: when the pool last had everything that it wants now.

        The period goes back no further than the slowest build under way and the wait for the round that began it. What
        was taken earlier has been replaced since.
        """
        log = self._log
        begin = log.begin - 1
        if under_way:
            longest = max(log.ended[number] - log.created[number] for number in under_way)
            begin = max(begin, at - longest - (log.interval or 0) - 1)
        full = self._lifetimes.eligible.find_last(at, begin, lambda count: count >= max(target, 1))
        return begin if full is None else full

    def _find_emptying(self, at: int) -> int:
        begin = self._log.begin
        last = self._lifetimes.eligible.find_last(at, begin, lambda count: count > 0)
        return begin if last is None else last + 1

    def _iterate_lost(self, since: int, at: int) -> Iterator[Lost]:
        for reason, ticks in self._lifetimes.lost.items():
            last_at = find_last_between(ticks, since, at)
            if last_at:
                yield Lost(reason=reason, count=count_between(ticks, since, at), last_at=last_at)

    def _count_waiting(self, index: int, at: int) -> int:
        """How many users of the misses up to this one still wait at a tick. Those who build their own do not."""
        log = self._log
        if not log.can_wait:
            return 0
        # Users are served in the order in which they came, so the last ones are those who wait.
        first, unserved = index, len(log.missed) - log.unserved
        while first >= 0 and (first >= unserved or log.claims[log.missed[first]] + log.waits[first] > at):
            first -= 1
        return index - first

    def _iterate_succeeding(self, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
        return ((self._log.ended[number], number) for number in numbers if self._lifetimes.succeeds(number))

    def _iterate_steps(self, since: int, at: int) -> Iterator[TargetStep]:
        for before, after in self._lifetimes.list_target_changes(since, at):
            first = self._find_first_ready(after) if after.desired > before.desired else None
            yield TargetStep(
                at=to_instant(after.at),
                before=before.desired,
                after=after.desired,
                first_ready_at=None if first is None else to_instant(first),
                by_demand=_is_by_demand(before, after),
            )

    def _find_first_ready(self, change: TargetChange) -> int | None:
        """When the first build begun since a change of the target was ready."""
        log = self._log
        numbers = range(bisect_right(log.created, change.at - 1), len(log.created))
        first: int | None = None
        for number in numbers:
            if first is not None and log.created[number] >= first:
                break
            if self._lifetimes.succeeds(number):
                first = log.ended[number] if first is None else min(first, log.ended[number])
        return first

    def _find_hold(self, at: int) -> Hold | None:
        """What keeps the preset that is active at a tick from creating, as of its latest round."""
        log = self._log
        place = bisect_right(log.holds, at, key=lambda hold: hold.at)
        hold = log.holds[place - 1] if place else None
        since = max(active.since for active in log.presets if active.since <= at)
        return hold if hold and hold.reason and hold.at >= since and hold.until >= at else None

    def _find_next_round(self, at: int) -> datetime | None:
        log = self._log
        if log.interval is None:
            return None
        following = log.begin + ((at - log.begin) // log.interval + 1) * log.interval
        return to_instant(following) if following <= log.end else None


def count_between(ticks: Sequence[int], since: int, at: int) -> int:
    """How many ticks are after `since`, up to `at`. The ticks are in order."""
    return bisect_right(ticks, at) - bisect_right(ticks, since)


def find_last_between(ticks: Sequence[int], since: int, at: int) -> datetime | None:
    """The last tick after `since`, up to `at`. The ticks are in order."""
    return to_instant(ticks[bisect_right(ticks, at) - 1]) if count_between(ticks, since, at) else None


def _is_by_demand(before: TargetChange, after: TargetChange) -> bool:
    """Whether claims changed the target, rather than a window."""
    fell = before.source is TargetSource.DEMAND and after.source is TargetSource.PRESET
    return fell or after.source is TargetSource.DEMAND
