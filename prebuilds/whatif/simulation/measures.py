"""Measures: what a pool's record comes to, in the numbers that a person compares.

- Hours are those within the simulated span. A prebuild is idle from when it is ready until it is claimed or deleted;
  expired ones that still run are idle too, as they cost as much.
- A wait counts for every claim, and is zero for a hit. A quantile is the least wait that so many claims do not exceed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import chain
from typing import Any

import attrs

from prebuilds.whatif.simulation.event_log import Fate, PoolRecord
from prebuilds.whatif.traces.numbers import find_rank
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR


@attrs.frozen(kw_only=True)
class Measures:
    """What came of one pool, or of several together."""

    claims: int
    hits: int
    misses: int
    hit_rate: float
    """The share of claims that found a prebuild ready; 1 where there were no claims."""
    mean_wait: timedelta
    p50_wait: timedelta
    p95_wait: timedelta
    max_wait: timedelta
    idle_hours: float
    build_hours: float
    created: int
    """Builds that were begun, those that failed included; prebuilds that were there at the begin are not counted."""
    failed: int
    deleted: int
    """Prebuilds that were deleted and never claimed, those that had expired included."""
    expired_unused: int
    unserved: int
    """Users who still waited at the end with no build under way for them; their waits are counted up to the end."""
    rounds: int
    """How often the loop woke."""


def make_row(measures: Measures) -> dict[str, Any]:
    """The measures as plain values. There is no hit rate where there were no claims."""
    row = {field.name: getattr(measures, field.name) for field in attrs.fields(Measures)}
    return row if measures.claims else {**row, "hit_rate": None}


def measure(records: Sequence[PoolRecord]) -> Measures:
    """The measures of these pools together."""
    claims = sum(len(record.claims) for record in records)
    misses = sum(len(record.missed) for record in records)
    waits = sorted(chain.from_iterable(record.waits for record in records))
    return Measures(
        claims=claims,
        hits=claims - misses,
        misses=misses,
        hit_rate=(claims - misses) / claims if claims else 1.0,
        mean_wait=timedelta(microseconds=round(sum(waits) / max(claims, 1))),
        p50_wait=_find_quantile(waits, claims, 0.5),
        p95_wait=_find_quantile(waits, claims, 0.95),
        max_wait=timedelta(microseconds=waits[-1] if waits else 0),
        idle_hours=sum(map(count_idle_ticks, records)) / TICKS_PER_HOUR,
        build_hours=sum(map(count_build_ticks, records)) / TICKS_PER_HOUR,
        created=sum(len(record.created) - record.num_initial for record in records),
        failed=sum(map(_count_failed, records)),
        deleted=_count(records, Fate.DELETED) + _count(records, Fate.EXPIRED),
        expired_unused=_count(records, Fate.EXPIRED),
        unserved=sum(record.unserved for record in records),
        rounds=sum(record.rounds for record in records),
    )


def count_idle_ticks(record: PoolRecord) -> int:
    """Microseconds that prebuilds were ready and not taken, added up."""
    # A build that failed or was awaited is gone when it ends, which makes nothing.
    return _sum_until(record.gone, record.end) - _sum_until(record.ended, record.end)


def count_build_ticks(record: PoolRecord) -> int:
    """Microseconds of building within the span, added up."""
    early = sum(record.begin - created for created in record.created[: record.num_initial])
    return _sum_until(record.ended, record.end) - sum(record.created) - early


def _sum_until(ticks: Sequence[int], end: int) -> int:
    """The sum of ticks, none of them taken for later than the end."""
    return sum(ticks) - sum([tick - end for tick in ticks if tick > end])


def _count(records: Sequence[PoolRecord], fate: Fate) -> int:
    return sum(record.fates.count(fate) for record in records)


def _count_failed(record: PoolRecord) -> int:
    late = (record.fates[number] for number, ended in enumerate(record.ended) if ended > record.end)
    return record.fates.count(Fate.FAILED) - sum(fate is Fate.FAILED for fate in late)


def _find_quantile(waits: Sequence[int], claims: int, share: float) -> timedelta:
    """Of the waits of all claims; those that are not zero are given in order."""
    if not claims:
        return timedelta()
    place = find_rank(share, claims) - 1 - (claims - len(waits))
    return timedelta(microseconds=waits[place] if place >= 0 else 0)
