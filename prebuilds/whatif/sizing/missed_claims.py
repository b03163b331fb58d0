"""Which claims each pool size would have missed, if it is constant: for sums over parts of a history."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import compress

from prebuilds.whatif.sizing.cold_start_pass import prepare_hits
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.traces.on_miss import OnMiss

ListMisses = Callable[[int], Iterable[int]]
"""The places of the claims that a size would have missed, in any order."""


def prepare_misses(demand: Demand, on_miss: OnMiss) -> ListMisses:
    """Make a function for this demand. With `wait` it takes one pass for all sizes, with `cold_start` one for each."""
    return _prepare_waits(demand) if on_miss is OnMiss.WAIT else _prepare_cold_starts(demand)


def _prepare_waits(demand: Demand) -> ListMisses:
    """A claim is a miss at every size up to the number of builds that it finds under way."""
    under_way = demand.under_way
    order = sorted(range(len(under_way)), key=under_way.__getitem__, reverse=True)
    counts = [-under_way[place] for place in order]
    return lambda size: order[: bisect_left(counts, 1 - size)]


def _prepare_cold_starts(demand: Demand) -> ListMisses:
    list_hits = prepare_hits(demand)
    places = range(len(demand.claims))

    def list_misses(size: int) -> Iterable[int]:
        if size >= demand.enough:
            return ()
        is_missed = bytearray(b"\1") * len(places)
        for hit in list_hits(size):
            is_missed[hit] = 0
        return compress(places, is_missed)

    return list_misses
