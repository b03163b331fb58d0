"""Measures: the event log of a pool, summed up in the numbers that people compare.

- Hours are counted within the simulated span. A prebuild is idle from when it is ready until it is claimed or deleted.
  An expired one that still runs is idle too, and so is one that never becomes ready: they cost as much.
- Every claim has a wait, which is zero for a hit. The p95 is the shortest wait that 95 % of claims do not exceed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import chain
from typing import Any

import attrs

from prebuilds.whatif.simulation.event_log import NEVER, EventLog, PrebuildOutcome
from prebuilds.whatif.traces.number_checks import find_rank
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR


@attrs.frozen(kw_only=True)
class Measures:
    """The numbers of one pool, or of several together."""

    claims: int
    hits: int
    misses: int
    hit_rate: float
    """The share of claims that found a prebuild ready; 1 if there were no claims."""
    mean_wait: timedelta
    p50_wait: timedelta
    p95_wait: timedelta
    max_wait: timedelta
    idle_hours: float
    build_hours: float
    created: int
    """Builds that began, including those that failed. Prebuilds that were there at the start do not count."""
    failed: int
    """Builds that failed or missed a deadline (R14)."""
    deleted: int
    """Prebuilds that were deleted and never claimed, including expired ones."""
    expired_unused: int
    unserved: int
    """Users who still waited at the end with no build under way for them. Their waits are counted up to the end."""
    stuck: int
    """Starts that hang and prebuilds that never become ready, if they were still there at the end."""
    rounds: int
    """How often the loop woke."""


def make_row(measures: Measures) -> dict[str, Any]:
    """The measures as plain values. Without claims, the hit rate is None."""
    row = {field.name: getattr(measures, field.name) for field in attrs.fields(Measures)}
    return row if measures.claims else {**row, "hit_rate": None}


def measure(logs: Sequence[EventLog]) -> Measures:
    """The measures of these pools together."""
    claims = sum(len(log.claims) for log in logs)
    misses = sum(len(log.missed) for log in logs)
    return Measures(
        claims=claims,
        hits=claims - misses,
        misses=misses,
        hit_rate=(claims - misses) / claims if claims else 1.0,
        **_measure_waits(sorted(chain.from_iterable(log.waits for log in logs)), claims),
        idle_hours=sum(map(count_idle_ticks, logs)) / TICKS_PER_HOUR,
        build_hours=sum(map(count_build_ticks, logs)) / TICKS_PER_HOUR,
        created=sum(len(log.created) - log.num_initial for log in logs),
        failed=sum(map(_count_failed, logs)),
        deleted=_count(logs, PrebuildOutcome.DELETED) + _count(logs, PrebuildOutcome.EXPIRED),
        expired_unused=_count(logs, PrebuildOutcome.EXPIRED),
        unserved=sum(log.unserved for log in logs),
        stuck=sum(map(_count_stuck, logs)),
        rounds=sum(log.rounds for log in logs),
    )


def _measure_waits(waits: Sequence[int], claims: int) -> dict[str, timedelta]:
    """`waits` are those of the misses, in order."""
    return {
        "mean_wait": timedelta(microseconds=round(sum(waits) / max(claims, 1))),
        "p50_wait": _find_quantile(waits, claims, 0.5),
        "p95_wait": _find_quantile(waits, claims, 0.95),
        "max_wait": timedelta(microseconds=waits[-1] if waits else 0),
    }


def count_idle_ticks(log: EventLog) -> int:
    """For how many microseconds prebuilds were ready and unclaimed, summed over all of them."""
    # A failed or awaited build is gone when it ends, and adds nothing; one that waited for its promotion was idle.
    return _sum_until(log.gone, log.end) - _sum_until(log.ended, log.end)


def count_build_ticks(log: EventLog) -> int:
    """For how many microseconds builds ran within the span, summed over all of them."""
    early = sum(log.begin - created for created in log.created[: log.num_initial])
    return _sum_until(log.ended, log.end) - sum(log.created) - early


def _sum_until(ticks: Sequence[int], end: int) -> int:
    """The sum of ticks; one later than the end counts as the end."""
    return sum(ticks) - sum([tick - end for tick in ticks if tick > end])


def _count(logs: Sequence[EventLog], outcome: PrebuildOutcome) -> int:
    return sum(log.outcomes.count(outcome) for log in logs)


def _count_failed(log: EventLog) -> int:
    late = (log.outcomes[number] for number, ended in enumerate(log.ended) if ended > log.end)
    return log.outcomes.count(PrebuildOutcome.FAILED) - sum(outcome is PrebuildOutcome.FAILED for outcome in late)


def _count_stuck(log: EventLog) -> int:
    hanging = sum(ended == NEVER for ended in log.ended)
    return hanging + sum(log.ended[number] <= log.end < log.gone[number] for number in log.never_ready)


def _find_quantile(waits: Sequence[int], claims: int, share: float) -> timedelta:
    """A quantile of the waits of all claims. `waits` are those of the misses, in order."""
    if not claims:
        return timedelta()
    place = find_rank(share, claims) - 1 - (claims - len(waits))
    return timedelta(microseconds=waits[place] if place >= 0 else 0)
