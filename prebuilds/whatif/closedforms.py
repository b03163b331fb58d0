"""Closed forms: what each pool size would have, where claims come alone and at a steady rate.

They plan where there is no history, and check what is measured. Claims are Poisson; lead times may have any
distribution, as only their mean counts: for `cold_start` by Erlang's loss formula, for `wait` by the Poisson
distribution of the builds under way. The *load* is the number of claims in one lead time, on average.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import count, islice
from math import exp, lgamma, log

from prebuilds.whatif.arguments import require_amount, require_lead_time, require_on_miss, require_sizes, require_ticks
from prebuilds.whatif.curves import Curve, PoolSize
from prebuilds.whatif.lead_times import LeadTime
from prebuilds.whatif.misses import OnMiss

_HOUR = timedelta(hours=1)
_WEEK = timedelta(weeks=1)
_FEW = 1e-4  # the share of misses down to which a curve goes that is asked for no sizes


def calculate_erlang_b(size: int, load: float) -> float:
    """The share of claims that a pool of this size misses when misses are lost (Erlang B)."""
    return _find_miss("calculate_erlang_b", OnMiss.COLD_START, size, load)


def calculate_poisson_miss(size: int, load: float) -> float:
    """The share of claims that a pool of this size misses when misses wait: so many builds or more are under way."""
    return _find_miss("calculate_poisson_miss", OnMiss.WAIT, size, load)


def predict(
    claims_per_hour: float,
    lead_time: LeadTime | timedelta,
    *,
    on_miss: OnMiss | str = OnMiss.COLD_START,
    sizes: Iterable[int] | None = None,
    wake_delay: timedelta = timedelta(),
    span: timedelta = _WEEK,
) -> Curve:
    """What each pool size may expect of Poisson claims in `span`, by closed forms: for planning without history.

    `sizes` are all from 0 to the first that misses fewer than one claim in 10,000, if not given.
    """
    rate = require_amount("predict", "claims_per_hour", claims_per_hour)
    mode = require_on_miss("predict", on_miss)
    wake = timedelta(microseconds=require_ticks("predict", "wake_delay", wake_delay))
    hours = timedelta(microseconds=require_ticks("predict", "span", span)) / _HOUR
    lead = require_lead_time("predict", lead_time).mean / _HOUR
    wanted = None if sizes is None else require_sizes("predict", sizes)
    claims, points = rate * hours, []
    for size, (missed, idle, waited) in enumerate(_iterate_sizes(mode, rate, lead, wake / _HOUR)):
        if wanted is None or size in wanted:
            amounts = {"hits": claims * (1 - missed), "idle_hours": idle * hours, "wait_hours": waited * hours}
            points.append(PoolSize(size=size, claims=claims, **amounts))
        if (missed < _FEW) if wanted is None else size == wanted[-1]:
            break
    return Curve(on_miss=mode, span=span, points=points, source="expected of Poisson claims, by closed forms.")


def _find_miss(place: str, on_miss: OnMiss, size: int, load: float) -> float:
    (size,) = require_sizes(place, [size])
    return next(islice(_iterate_misses(on_miss, require_amount(place, "load", load)), size, None))


def _iterate_misses(on_miss: OnMiss, load: float) -> Iterator[float]:
    """The share of claims missed by the size 0, 1, 2 and so on."""
    missed = 1.0
    for size in count():
        yield missed
        if on_miss is OnMiss.COLD_START:
            missed = load * missed / (size + 1 + load * missed)
        else:
            missed = max(0.0, missed - _calculate_poisson(size, load))


def _iterate_sizes(on_miss: OnMiss, rate: float, lead: float, wake: float) -> Iterator[tuple[float, float, float]]:
    """For the size 0, 1, 2 and so on: the share missed, prebuilds idle, and users waiting, each on average."""
    load, idle = rate * (lead + wake), 0.0
    for size, missed in enumerate(_iterate_misses(on_miss, load)):
        if on_miss is OnMiss.COLD_START:
            yield missed, max(0.0, size - load * (1 - missed)), rate * missed * lead
        else:
            idle += 1 - missed if size else 0.0  # the chance that fewer builds than this are under way
            yield missed, idle, max(0.0, load - size + idle)


def _calculate_poisson(value: int, load: float) -> float:
    """The chance of this number where `load` is expected."""
    if not load:
        return float(value == 0)
    return exp(value * log(load) - load - lgamma(value + 1))  # in logarithms, as the factors over- and underflow
