"""Closed forms: what each pool size can expect if claims are a Poisson process with a steady rate.

They plan without history, and check measured results. Lead times may have any distribution, as only the mean counts.
`cold_start` uses Erlang's loss formula, and `wait` the Poisson distribution of the builds under way. The *load* is the
average number of claims in one lead time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from math import exp, lgamma, log

from prebuilds.errors import InvalidValueError
from prebuilds.whatif.sizing.curve import Curve
from prebuilds.whatif.sizing.pool_size import PoolSize
from prebuilds.whatif.traces.argument_checks import (
    require_amount,
    require_lead_time,
    require_on_miss,
    require_rate,
    require_sizes,
    require_ticks,
)
from prebuilds.whatif.traces.lead_times import LeadTime
from prebuilds.whatif.traces.on_miss import OnMiss

_HOUR = timedelta(hours=1)
_WEEK = timedelta(weeks=1)
_FEW = 1e-4  # without `sizes`, a curve ends at the first size that misses less than this share

_MOST_LOAD = 1_000_000

_Measures = tuple[float, float, float]
"""The share of claims missed, and the average numbers of idle prebuilds and of waiting users."""


def calculate_erlang_b(size: int, load: float) -> float:
    """The share of claims that a pool of this size misses, if misses are lost (Erlang B)."""
    return _find_miss("calculate_erlang_b", OnMiss.COLD_START, size, load)


def calculate_poisson_miss(size: int, load: float) -> float:
    """The share of claims that a pool of this size misses, if misses wait.

    It is the chance that at least `size` builds are under way, which are Poisson with mean `load`.
    """
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
    """What each pool size can expect of Poisson claims in `span`, by closed forms: for planning without history.

    By default, `sizes` go from 0 to the first that misses fewer than one claim in 10,000.
    """
    rate = require_rate("predict", "claims_per_hour", claims_per_hour)
    mode = require_on_miss("predict", on_miss)
    wake = timedelta(microseconds=require_ticks("predict", "wake_delay", wake_delay)) / _HOUR
    hours = timedelta(microseconds=require_ticks("predict", "span", span)) / _HOUR
    lead = require_lead_time("predict", lead_time).mean / _HOUR
    if rate * (lead + wake) > _MOST_LOAD:
        allowed = f"at most {_MOST_LOAD:,} claims in a lead time of {lead + wake:g} h"
        raise InvalidValueError("predict", "claims_per_hour", claims_per_hour, allowed)
    measures = _iterate_sizes(mode, rate, lead, wake)
    chosen = _take_few(measures) if sizes is None else _pick(measures, require_sizes("predict", sizes))
    claims, points = rate * hours, []
    for size, (missed, idle, waited) in chosen:
        amounts = {"hits": claims * (1 - missed), "idle_hours": idle * hours, "wait_hours": waited * hours}
        points.append(PoolSize(size=size, claims=claims, **amounts))
    return Curve(on_miss=mode, span=span, points=points, source="expected of Poisson claims, by closed forms.")


def _take_few(measures: Iterable[_Measures]) -> Iterator[tuple[int, _Measures]]:
    """All sizes, up to the first that misses few enough claims."""
    for size, found in enumerate(measures):
        yield size, found
        if found[0] < _FEW:
            return


def _pick(measures: Iterable[_Measures], sizes: Iterable[int]) -> Iterator[tuple[int, _Measures]]:
    """These sizes, which are in order. Sizes beyond the last measure differ from it in idle prebuilds alone."""
    steps = enumerate(measures)
    at, found = next(steps)
    for size in sizes:
        while at < size and (step := next(steps, None)):
            at, found = step
        missed, idle, waited = found
        yield size, (missed, idle + size - at, waited)


def _find_miss(place: str, on_miss: OnMiss, size: int, load: float) -> float:
    (size,) = require_sizes(place, [size])
    if require_amount(place, "load", load) > _MOST_LOAD:
        raise InvalidValueError(place, "load", load, f"a number from 0 to {_MOST_LOAD:,}")
    return next(islice(_iterate_misses(on_miss, load), size, None), 0.0)


def _iterate_misses(on_miss: OnMiss, load: float) -> Iterator[float]:
    """The share of claims missed by the sizes 0, 1, 2 and so on, until it is 0 as a float."""
    missed, size = 1.0, 0
    while missed:
        yield missed
        if on_miss is OnMiss.COLD_START:
            missed = load * missed / (size + 1 + load * missed)
        else:
            chance = _calculate_poisson(size, load)
            missed = max(0.0, missed - chance) if chance or size < load else 0.0
        size += 1
    yield 0.0


def _iterate_sizes(on_miss: OnMiss, rate: float, lead: float, wake: float) -> Iterator[_Measures]:
    """The measures of the sizes 0, 1, 2 and so on, up to the first that misses nothing."""
    load, idle = rate * (lead + wake), 0.0
    for size, missed in enumerate(_iterate_misses(on_miss, load)):
        if on_miss is OnMiss.COLD_START:
            yield missed, max(0.0, size - load * (1 - missed)), rate * missed * lead
        else:
            idle += 1 - missed if size else 0.0  # the chance that fewer builds than this are under way
            yield missed, idle, max(0.0, load - size + idle)


def _calculate_poisson(value: int, load: float) -> float:
    """The Poisson probability of a value, with mean `load`."""
    if not load:
        return float(value == 0)
    return exp(value * log(load) - load - lgamma(value + 1))  # in logarithms: the factors overflow and underflow
