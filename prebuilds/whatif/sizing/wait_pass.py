"""Every pool size from one pass, where a user who finds nothing ready waits for the next prebuild (`wait`).

The builds under way do not depend on the size: they are the claims whose replacement is not ready yet. A claim is a hit
at every size above the number of builds that it finds under way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate

from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.pool_size import MeasureSize, PoolSize, make_point


def measure_waits(demand: Demand) -> MeasureSize:
    """Count how many claims met each number of builds under way, and for how long there were that many."""
    most = demand.enough
    met = Counter(demand.under_way)
    hits = list(accumulate((met[count] for count in range(most)), initial=0))
    within, overall = _time_under_way(demand)
    # A size above the builds under way idles by the difference, and a size below them is short by it.
    idle = list(accumulate(accumulate(within, initial=0)))
    short = list(accumulate(accumulate(overall[::-1], initial=0)))
    span = demand.end - demand.begin

    def measure(size: int) -> PoolSize:
        if size <= most:
            return make_point(demand, size, hits[size], idle[size], short[most - size])
        return make_point(demand, size, hits[most], idle[most] + (size - most) * span, 0)

    return measure


def _time_under_way(demand: Demand) -> tuple[list[int], list[int]]:
    """For how many ticks each number of builds was under way: within the span, and until the last is ready."""
    # Events as integers, builds before claims at the same tick, sort ten times as fast as pairs.
    events = sorted([2 * at + 1 for at in demand.claims] + [2 * ready for ready in demand.ready_ticks])
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
        if at > last:  # otherwise the count lasts no time, and may be out of range
            total[count] += at - last
            last = at
        count += 1 if event & 1 else -1
    return last, count
