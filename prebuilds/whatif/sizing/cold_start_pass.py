"""A pass for each pool size, where a user who finds nothing ready builds a workspace of their own (`cold_start`).

A miss orders nothing, so each size has a history of its own. If all builds take equally long, prebuilds become ready in
the order in which they were claimed: the k-th hit frees the prebuild that hit `k + size` takes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from heapq import heapreplace
from itertools import islice

from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.pool_size import MeasureSize, PoolSize, make_point


def measure_cold_starts(demand: Demand) -> MeasureSize:
    """Measure each size in a pass of its own. Sizes that miss nothing need none: they all have the same builds."""
    measure_few = _measure_in_order(demand) if demand.is_fixed else _measure_in_any_order(demand)
    span, count = demand.end - demand.begin, len(demand.claims)
    busy = sum(_list_busy(demand))

    def measure(size: int) -> PoolSize:
        if size >= demand.enough:
            return make_point(demand, size, count, size * span - busy, 0)
        hits, built, waited = measure_few(size)
        return make_point(demand, size, hits, size * span - built, waited)

    return measure


def _list_busy(demand: Demand) -> list[int]:
    """For each claim, for how many ticks within the span its replacement is not ready."""
    end = demand.end
    return [min(ready, end) - at for at, ready in zip(demand.claims, demand.ready_ticks, strict=True)]


def _measure_in_order(demand: Demand) -> Callable[[int], tuple[int, int, int]]:
    """Measure hits, ticks of building and ticks of waiting, if all builds take equally long."""
    claims, served_next, end = demand.claims, demand.served_next, demand.end
    count = len(claims)
    lead = demand.leads[0] if count else 0
    delay = lead + demand.wake_ticks
    late = bisect_right(claims, end - delay)  # from this claim on, no replacement is ready within the span

    firsts = _find_first_misses(demand)

    def measure(size: int) -> tuple[int, int, int]:
        hits = _list_hits(served_next, size, firsts[size])
        beyond = bisect_left(hits, late)
        built = beyond * delay + sum(end - claims[hit] for hit in hits[beyond:])
        return len(hits), built, (count - len(hits)) * lead

    return measure


def _list_hits(served_next: Sequence[int], size: int, first_miss: int) -> list[int]:
    """The places of the claims that are hits. Every claim before the first miss is one."""
    hits, count = list(range(first_miss)), len(served_next)
    last = first_miss - 1
    # The loop reads the list that it extends: each hit frees a prebuild for a later one.
    for hit in islice(hits, first_miss - size, None):
        free = served_next[hit]
        last = last + 1 if last >= free else free  # `max` takes three times as long
        if last >= count:
            break
        hits.append(last)
    return hits


def _find_first_misses(demand: Demand) -> list[int]:
    """For each size that misses something, the first claim that it misses."""
    firsts: list[int] = []
    for index, count in enumerate(demand.under_way):
        if count == len(firsts):  # each claim adds at most one build, so no count is skipped
            firsts.append(index)
    return firsts


def _measure_in_any_order(demand: Demand) -> Callable[[int], tuple[int, int, int]]:
    """Measure hits, ticks of building and ticks of waiting, if builds may overtake each other."""
    rows = list(zip(demand.claims, demand.ready_ticks, _list_busy(demand), demand.leads, strict=True))

    def measure(size: int) -> tuple[int, int, int]:
        ready_at = [demand.begin] * size or [demand.end + 1]
        hits = built = waited = 0
        for at, ready, busy, lead in rows:
            if ready_at[0] <= at:
                heapreplace(ready_at, ready)
                hits += 1
                built += busy
            else:
                waited += lead
        return hits, built, waited

    return measure
