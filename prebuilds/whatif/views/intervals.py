"""Confidence intervals of means: between which bounds the mean lies that endless repetition would give."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt, tan
from statistics import NormalDist, fmean, stdev

import attrs

_LEVEL = 0.95


@attrs.frozen(kw_only=True)
class Interval:
    """A mean, and the bounds of its interval of 95 % by Student's t."""

    mean: float
    low: float
    high: float


def estimate_mean(values: Sequence[float]) -> Interval:
    """The mean of two values or more, which are independent of each other."""
    mean = fmean(values)
    margin = find_t_quantile(len(values) - 1) * stdev(values) / sqrt(len(values))
    return Interval(mean=mean, low=mean - margin, high=mean + margin)


def find_t_quantile(freedom: int, level: float = _LEVEL) -> float:
    """How many standard errors the bounds of an interval are from the mean, by the degrees of freedom.

    Exact for 1 and 2; else by the expansion of Abramowitz and Stegun, 26.7.5, which is off by 0.004 at most.
    """
    share = (1 + level) / 2
    if freedom == 1:
        return tan(pi * (share - 0.5))
    if freedom == 2:
        return level * sqrt(2 / (1 - level**2))
    z: float = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(freedom) ** power for power, term in enumerate(terms, start=1))
