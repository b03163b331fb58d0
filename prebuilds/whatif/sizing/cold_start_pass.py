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

ListHits = Callable[[int], Sequence[int]]
"""The places of the claims that are hits at a size, in order, if the size misses something."""


def measure_cold_starts(demand: Demand) -> MeasureSize:
    """Measure each size in a pass of its own. Sizes that miss nothing need none: they all have the same builds."""
    list_hits = prepare_hits(demand)
    sum_busy = _sum_in_order(demand) if demand.is_fixed else _sum_in_any_order(demand)
    sum_waits = _prepare_waits(demand)
    span, count = demand.end - demand.begin, len(demand.claims)
    busy = sum(_list_busy(demand))

    def measure(size: int) -> PoolSize:
        if size >= demand.enough:
            return make_point(demand, size, count, size * span - busy, 0)
        hits = list_hits(size)
        return make_point(demand, size, len(hits), size * span - sum_busy(hits), sum_waits(hits))

    return measure


def prepare_hits(demand: Demand) -> ListHits:
    """Make a function that lists the hits of a size on this demand."""
    return _prepare_in_order(demand) if demand.is_fixed else _prepare_in_any_order(demand)


def _list_busy(demand: Demand) -> list[int]:
    """For each claim, for how many ticks within the span its replacement is not ready."""
    end = demand.end
    return [min(ready, end) - at for at, ready in zip(demand.claims, demand.ready_ticks, strict=True)]


def _sum_in_order(demand: Demand) -> Callable[[Sequence[int]], int]:
    """The ticks of building after these hits, if all builds take equally long."""
    claims, end = demand.claims, demand.end
    delay = (demand.leads[0] if claims else 0) + demand.wake_ticks
    late = bisect_right(claims, end - delay)  # from this claim on, no replacement is ready within the span

    def sum_busy(hits: Sequence[int]) -> int:
        beyond = bisect_left(hits, late)
        return beyond * delay + sum(end - claims[hit] for hit in hits[beyond:])

    return sum_busy


def _sum_in_any_order(demand: Demand) -> Callable[[Sequence[int]], int]:
    busy = _list_busy(demand)
    return lambda hits: sum(map(busy.__getitem__, hits))


def _prepare_waits(demand: Demand) -> Callable[[Sequence[int]], int]:
    """The ticks that the users waited whose claims are none of these hits."""
    leads = demand.leads
    if demand.is_fixed:
        lead = leads[0] if leads else 0
        return lambda hits: (len(leads) - len(hits)) * lead
    everything = sum(leads)
    return lambda hits: everything - sum(map(leads.__getitem__, hits))


def _prepare_in_order(demand: Demand) -> ListHits:
    """If all builds take equally long."""
    served_next, firsts = demand.served_next, _find_first_misses(demand)
    return lambda size: _list_hits(served_next, size, firsts[size])


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


def _prepare_in_any_order(demand: Demand) -> ListHits:
    """If builds may overtake each other."""
    rows = list(zip(demand.claims, demand.ready_ticks, strict=True))

    def list_hits(size: int) -> Sequence[int]:
        ready_at = [demand.begin] * size or [demand.end + 1]
        hits: list[int] = []
        for place, (at, ready) in enumerate(rows):
            if ready_at[0] <= at:
                heapreplace(ready_at, ready)
                hits.append(place)
        return hits

    return list_hits
