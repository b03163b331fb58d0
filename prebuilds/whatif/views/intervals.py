"""Confidence intervals of means, by Student's t."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt, tan
from statistics import NormalDist, fmean, stdev

import attrs

_LEVEL = 0.95


@attrs.frozen(kw_only=True)
class Interval:
    """A mean with its 95 % confidence interval, by Student's t."""

    mean: float
    low: float
    high: float


def estimate_mean(values: Sequence[float]) -> Interval:
    """Estimate the mean of two or more independent values."""
    mean = fmean(values)
    margin = find_t_quantile(len(values) - 1) * stdev(values) / sqrt(len(values))
    return Interval(mean=mean, low=mean - margin, high=mean + margin)


def find_t_quantile(freedom: int, level: float = _LEVEL) -> float:
    """How many standard errors the bounds of an interval are away from the mean, by the degrees of freedom.

    Exact for 1 and 2. Otherwise by the expansion of Abramowitz and Stegun, 26.7.5, with an error of at most 0.004.
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
