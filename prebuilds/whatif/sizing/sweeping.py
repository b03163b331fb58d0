"""Sizing: what every pool size would have had on a trace, exactly, without simulating it event by event.

- The pool is full when the trace begins. Each claim that takes a prebuild has a replacement begun `wake_delay` later,
  which is ready a lead time after that. A prebuild that becomes ready at the instant of a claim is there for it.
- With `wait`, the builds under way at any instant do not depend on the size: they are the claims whose replacement is
  not ready yet. One pass counts them, and a claim is a hit at every size above the count that it meets.
- With `cold_start` a miss orders nothing, so each size has a history of its own. With a fixed lead time the prebuilds
  become ready in the order in which they were claimed, and the k-th hit sets free what the hit `size` later takes.
- All is counted in whole microseconds, so that no sum depends on its order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from heapq import heapreplace
from itertools import accumulate, islice

from prebuilds.whatif.sizing.curve import Curve, PoolSize
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.traces.arguments import (
    require_lead_time,
    require_on_miss,
    require_seed,
    require_sizes,
    require_ticks,
    require_trace,
)
from prebuilds.whatif.traces.lead_times import LeadTime
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR
from prebuilds.whatif.traces.trace import Trace
from prebuilds.whatif.views.progress import show_progress

_Measure = Callable[[int], PoolSize]
_NO_DELAY = timedelta()


def sweep(
    trace: Trace,
    lead_time: LeadTime | timedelta,
    *,
    on_miss: OnMiss | str = OnMiss.COLD_START,
    sizes: Iterable[int] | None = None,
    wake_delay: timedelta = timedelta(),
    seed: int = 0,
    progress: bool = False,
) -> Curve:
    """What each pool size would have had on this trace.

    `sizes` are all from 0 to the first that misses nothing, if not given. `wake_delay` is how long the loop takes to
    notice a claim. Lead times that vary are drawn with `seed`, one for each claim, the same at every size. Costs one
    pass over the claims with `wait`, and one for each size with `cold_start`. `progress` shows a bar, which needs the
    extra `cli`.
    """
    demand = make_demand("sweep", trace, lead_time, wake_delay=wake_delay, seed=seed)
    mode = require_on_miss("sweep", on_miss)
    chosen = range(demand.enough + 1) if sizes is None else require_sizes("sweep", sizes)
    measure = _prepare(demand, mode)
    points: list[PoolSize] = []
    with show_progress("sweeping", len(chosen), is_shown=progress) as report:
        for size in chosen:
            points.append(measure(size))
            report(len(points))
    return Curve(on_miss=mode, span=trace.span, points=points, source="each size measured on all of them.")


def make_demand(
    place: str, trace: Trace, lead_time: LeadTime | timedelta, *, wake_delay: timedelta, seed: int
) -> Demand:
    """The demand that these arguments describe. Raises `InvalidValueError` for a wrong one."""
    return Demand(
        trace=require_trace(place, trace),
        lead_time=require_lead_time(place, lead_time),
        wake_ticks=require_ticks(place, "wake_delay", wake_delay),
        seed=require_seed(place, seed),
    )


def find_smallest(demand: Demand, on_miss: OnMiss, hit_rate: float) -> PoolSize:
    """The smallest size with at least this share of hits, by halving, as a larger pool never has fewer."""
    measure = _prepare(demand, on_miss)
    low, high = 0, demand.enough
    while low < high:
        middle = (low + high) // 2
        if measure(middle).hit_rate >= hit_rate:
            high = middle
        else:
            low = middle + 1
    return measure(low)


def _prepare(demand: Demand, on_miss: OnMiss) -> _Measure:
    return _measure_waiting(demand) if on_miss is OnMiss.WAIT else _measure_cold_starts(demand)


def _make_point(demand: Demand, size: int, hits: int, idle: int, waited: int) -> PoolSize:
    return PoolSize(
        size=size,
        claims=len(demand.claims),
        hits=hits,
        idle_hours=idle / TICKS_PER_HOUR,
        wait_hours=waited / TICKS_PER_HOUR,
    )


def _measure_waiting(demand: Demand) -> _Measure:
    """Every size from one pass: how many claims met so many builds under way, and for how long there were so many."""
    most = demand.enough
    met = Counter(demand.under_way)
    hits = list(accumulate((met[count] for count in range(most)), initial=0))
    within, overall = _time_under_way(demand)
    # A size is idle by its distance above the builds under way, and short by its distance below them.
    idle = list(accumulate(accumulate(within, initial=0)))
    short = list(accumulate(accumulate(overall[::-1], initial=0)))
    span = demand.end - demand.begin

    def measure(size: int) -> PoolSize:
        if size <= most:
            return _make_point(demand, size, hits[size], idle[size], short[most - size])
        return _make_point(demand, size, hits[most], idle[most] + (size - most) * span, 0)

    return measure


def _time_under_way(demand: Demand) -> tuple[list[int], list[int]]:
    """The ticks with each number of builds under way: within the span, and until the last of them is ready."""
    # A claim and a ready build as one number each, the ready ones first, sort ten times as fast as pairs do.
    events = sorted([2 * at + 1 for at in demand.claims] + [2 * ready for ready in demand.readies])
    cut = bisect_left(events, 2 * demand.end + 2)
    within = [0] * (demand.enough + 1)
    last, count = _add_time(within, demand.begin, 0, events[:cut])
    within[count] += demand.end - last
    overall = within.copy()
    _add_time(overall, demand.end, count, events[cut:])
    return within, overall


def _add_time(total: list[int], last: int, count: int, events: Iterable[int]) -> tuple[int, int]:
    for event in events:
        at = event >> 1
        if at > last:  # else the count is that of no time at all, and may be out of range
            total[count] += at - last
            last = at
        count += 1 if event & 1 else -1
    return last, count


def _measure_cold_starts(demand: Demand) -> _Measure:
    """One pass for each size; those that miss nothing have the history of an endless pool."""
    measure_few = _measure_in_order(demand) if demand.is_fixed else _measure_in_any_order(demand)
    span, count = demand.end - demand.begin, len(demand.claims)
    busy = sum(_list_busy(demand))

    def measure(size: int) -> PoolSize:
        if size >= demand.enough:
            return _make_point(demand, size, count, size * span - busy, 0)
        hits, built, waited = measure_few(size)
        return _make_point(demand, size, hits, size * span - built, waited)

    return measure


def _list_busy(demand: Demand) -> list[int]:
    """For each claim, how long its replacement is not ready within the span."""
    end = demand.end
    return [min(ready, end) - at for at, ready in zip(demand.claims, demand.readies, strict=True)]


def _measure_in_order(demand: Demand) -> Callable[[int], tuple[int, int, int]]:
    """Hits, ticks not ready and ticks waited of a size, where all builds take as long."""
    claims, frees, end = demand.claims, demand.frees, demand.end
    count = len(claims)
    lead = demand.leads[0] if count else 0
    delay = lead + demand.wake_ticks
    late = bisect_right(claims, end - delay)  # from here on, a replacement is not ready within the span

    firsts = _find_firsts(demand)

    def measure(size: int) -> tuple[int, int, int]:
        hits = list(range(firsts[size]))  # the pool is full at first, and until so many builds are under way
        last = len(hits) - 1
        # A list that grows: each hit sets a prebuild free for a later one.
        for hit in islice(hits, len(hits) - size, None):
            free = frees[hit]
            last = last + 1 if last >= free else free  # `max` takes thrice as long
            if last >= count:
                break
            hits.append(last)
        beyond = bisect_left(hits, late)
        built = beyond * delay + sum(end - claims[hit] for hit in hits[beyond:])
        return len(hits), built, (count - len(hits)) * lead

    return measure


def _find_firsts(demand: Demand) -> list[int]:
    """For each size that misses something, the first claim that it misses."""
    firsts: list[int] = []
    for index, count in enumerate(demand.under_way):
        if count == len(firsts):  # each claim adds one build at most, so that no count is passed over
            firsts.append(index)
    return firsts


def _measure_in_any_order(demand: Demand) -> Callable[[int], tuple[int, int, int]]:
    """Hits, ticks not ready and ticks waited of a size, where builds overtake each other."""
    rows = list(zip(demand.claims, demand.readies, _list_busy(demand), demand.leads, strict=True))

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
