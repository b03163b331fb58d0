"""Measures: what a pool's record comes to, in the numbers that a person compares.

- Hours are those within the simulated span. A prebuild is idle from when it is ready until it is claimed or deleted;
  expired ones that still run are idle too, as they cost as much.
- A wait counts for every claim, and is zero for a hit. A quantile is the least wait that so many claims do not exceed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import chain
from math import ceil

import attrs

from prebuilds.whatif.records import Fate, PoolRecord
from prebuilds.whatif.traces import TICKS_PER_HOUR


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


def measure(records: Sequence[PoolRecord]) -> Measures:
    """The measures of these pools together."""
    claims = sum(len(record.claims) for record in records)
    misses = sum(len(record.missed) for record in records)
    waits = sorted(chain.from_iterable(record.waits for record in records))
    fates = Counter(chain.from_iterable(record.fates for record in records))
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
        deleted=fates[Fate.DELETED] + fates[Fate.EXPIRED],
        expired_unused=fates[Fate.EXPIRED],
        unserved=sum(record.unserved for record in records),
        rounds=sum(record.rounds for record in records),
    )


def count_idle_ticks(record: PoolRecord) -> int:
    """Microseconds that prebuilds were ready and not taken, added up."""
    begin, end = record.begin, record.end
    return sum(
        min(gone, end) - max(ended, begin)
        for ended, gone in zip(record.ended, record.gone, strict=True)
        if ended < gone and ended <= end
    )


def count_build_ticks(record: PoolRecord) -> int:
    """Microseconds of building within the span, added up."""
    begin, end = record.begin, record.end
    return sum(
        min(ended, end) - max(created, begin) for created, ended in zip(record.created, record.ended, strict=True)
    )


def _count_failed(record: PoolRecord) -> int:
    return sum(fate is Fate.FAILED and gone <= record.end for fate, gone in zip(record.fates, record.gone, strict=True))


def _find_quantile(waits: Sequence[int], claims: int, share: float) -> timedelta:
    """Of the waits of all claims; those that are not zero are given in order."""
    place = ceil(share * claims) - 1 - (claims - len(waits))
    return timedelta(microseconds=waits[place] if place >= 0 and waits else 0)
