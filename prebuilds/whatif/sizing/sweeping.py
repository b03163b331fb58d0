"""Sizing: what each pool size would have had on a trace, exactly, without simulating it event by event.

- The pool is full when the trace begins. When a claim takes a prebuild, the loop begins a replacement `wake_delay`
  later, which is ready a lead time after that. A prebuild that becomes ready at the instant of a claim can serve it.
- All times are whole microseconds, so no sum depends on its order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import cache

from prebuilds.whatif.sizing.cold_start_pass import measure_cold_starts
from prebuilds.whatif.sizing.curve import Curve
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.pool_size import MeasureSize, PoolSize
from prebuilds.whatif.sizing.wait_pass import measure_waits
from prebuilds.whatif.traces.argument_checks import (
    require_lead_time,
    require_on_miss,
    require_seed,
    require_sizes,
    require_ticks,
    require_trace,
)
from prebuilds.whatif.traces.lead_times import LeadTime
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.trace import Trace
from prebuilds.whatif.views.progress import show_progress


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

    By default, `sizes` go from 0 to the first that misses nothing. `wake_delay` is how long the loop takes to notice a
    claim. Random lead times are drawn with `seed`, one for each claim, the same for every size. `wait` takes one pass
    over the claims, and `cold_start` one for each size. `progress` shows a progress bar and needs the extra `cli`.
    """
    demand = make_demand("sweep", trace, lead_time, wake_delay=wake_delay, seed=seed)
    mode = require_on_miss("sweep", on_miss)
    chosen = range(demand.enough + 1) if sizes is None else require_sizes("sweep", sizes)
    measure = _prepare_measure(demand, mode)
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


class SizeFinder:
    """Measures sizes on one demand, each at most once, to find some of them."""

    def __init__(self, demand: Demand, on_miss: OnMiss) -> None:
        self._enough = demand.enough
        self.measure = cache(_prepare_measure(demand, on_miss))

    def find_smallest(self, hit_rate: float) -> PoolSize:
        """Find the smallest size with at least this hit rate, by bisection: a larger pool never has fewer hits."""
        low, high = 0, self._enough
        while low < high:
            middle = (low + high) // 2
            if self.measure(middle).hit_rate >= hit_rate:
                high = middle
            else:
                low = middle + 1
        return self.measure(low)

    def interpolate_idle(self, hit_rate: float) -> float:
        """For how many hours single sizes with just this hit rate would idle, in between two sizes if need be."""
        above = self.find_smallest(hit_rate)
        if not above.size:
            return above.idle_hours
        below = self.measure(above.size - 1)
        share = (hit_rate - below.hit_rate) / (above.hit_rate - below.hit_rate)
        return below.idle_hours + share * (above.idle_hours - below.idle_hours)


def find_smallest(demand: Demand, on_miss: OnMiss, hit_rate: float) -> PoolSize:
    """The smallest size with at least this hit rate."""
    return SizeFinder(demand, on_miss).find_smallest(hit_rate)


def _prepare_measure(demand: Demand, on_miss: OnMiss) -> MeasureSize:
    return measure_waits(demand) if on_miss is OnMiss.WAIT else measure_cold_starts(demand)
