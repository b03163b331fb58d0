"""Spreads: how far claims scatter about what was expected, as variance over mean.

Means are put into bins, six for each doubling. The spread of a bin is the one whose negative binomial has as many of
its claims in its highest counts (above the 0.97 quantile) as the past had. Neighbours count too: half as much for each
two bins of distance.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from math import log2

from prebuilds.decision.demand.counts import iterate_chances

BINS = 150
_PER_DOUBLING = 6
_FIRST = 0.02
_QUANTILE = 0.97
_SPREADS = tuple(2 ** (step / 2) for step in range(21))
_REACH = 12  # bins; beyond, a neighbour counts under a hundredth
_LEAN = 2.0  # claims
_LAST_EXACT = 98  # its mean is 1,570; above, a quantile grows with the mean


def find_bin(mean: float) -> int:
    """The bin of a mean, from 0 to 149. The first has all small means, and the last all large ones."""
    if mean <= _FIRST:
        return 0
    return min(BINS - 1, int(log2(mean / _FIRST) * _PER_DOUBLING) + 1)


@lru_cache(maxsize=BINS)
def get_bin_mean(place: int) -> float:
    """The mean that stands for a bin."""
    return float(_FIRST * 2 ** ((place - 0.5) / _PER_DOUBLING))


def fit_spreads(bins: Sequence[int], counts: Sequence[int]) -> tuple[float, ...]:
    """The spread of each bin, from the bins of past means and the claims that came in the lead times after them."""
    tails = [_Tail() for _ in range(BINS)]
    for place, count in zip(bins, counts, strict=True):
        tails[place].counts.append(count)
    for tail in tails:
        tail.close()
    last = max(bins, default=0)
    fitted = [_fit_spread(tails, place) for place in range(last + 1)]
    return (*fitted, *([fitted[-1]] * (BINS - len(fitted))))


class _Tail:
    """The counts of a bin, in order, and how many claims the highest of them hold."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.below: list[int] = []

    def close(self) -> None:
        self.counts.sort()
        self.below = [0, *accumulate(self.counts)]

    @property
    def claims(self) -> int:
        return self.below[-1]

    def count_above(self, limit: int) -> int:
        return self.claims - self.below[bisect_right(self.counts, limit)]


def _fit_spread(tails: Sequence[_Tail], place: int) -> float:
    """Where what the past had in its tail falls below what the spread expects there, by interpolation."""
    near = range(max(0, place - _REACH), min(BINS, place + _REACH + 1))
    weighted = [(other, 2 ** (-abs(other - place) / 2)) for other in near if tails[other].claims]
    claims = sum(weight * tails[other].claims for other, weight in weighted)
    last = 0.0
    for step in range(len(_SPREADS)):
        above = sum(weight * tails[other].count_above(_find_tail(other, step)[0]) for other, weight in weighted)
        expected = _find_tail(place, step)[1]
        excess = (above - expected * claims) / (claims + _LEAN)
        if excess <= 0:
            return _SPREADS[step] if not step else float(_SPREADS[step - 1] * 2 ** (last / (last - excess) / 2))
        last = excess
    return _SPREADS[-1]


@lru_cache(maxsize=BINS * len(_SPREADS))
def _find_tail(place: int, step: int) -> tuple[int, float]:
    """The quantile of a bin with a spread, and the share of its claims that counts above the quantile hold."""
    mean = get_bin_mean(place)
    if place > _LAST_EXACT:
        limit, share = _find_tail(_LAST_EXACT, step)
        return round(limit * mean / get_bin_mean(_LAST_EXACT)), share
    return _cut(iterate_chances(mean, _SPREADS[step]), mean)


def _cut(chances: Iterator[float], mean: float) -> tuple[int, float]:
    below = held = 0.0
    number = -1
    while below < _QUANTILE:
        chance = next(chances)
        number += 1
        below += chance
        held += number * chance
    return number, max(0.0, 1 - held / mean)
