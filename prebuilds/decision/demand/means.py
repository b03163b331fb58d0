"""The mean: how many claims to expect in the next lead time.

It is a weighted sum of signals, with weights that are never negative: the season, the season at the level of the last
hours and of the last day, five recent rates, and a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul

from prebuilds.decision.demand.rates import FadingRates

Signals = tuple[float, ...]
SIGNALS = 9
_FLOOR = 1e-9  # a mean is positive; a signal that sums up to less is none
_ROUNDS = 40


def list_signals(rates: FadingRates, usual: float, lead: float) -> Signals:
    """The signals, in claims per lead time. `usual` is what the season expects, in claims per second."""
    season = usual * lead
    hours, day = rates.list_levels()
    r1, r2, r3, r4, r5, _, _, _, _ = rates.values
    return (season, season * hours, season * day, r1 * lead, r2 * lead, r3 * lead, r4 * lead, r5 * lead, 1.0)


def calculate_mean(signals: Signals, weights: Sequence[float]) -> float:
    """The claims to expect in the next lead time."""
    mean: float = sum(map(mul, signals, weights))
    return mean + _FLOOR


def fit_weights(rows: Sequence[Signals], counts: Sequence[int]) -> tuple[float, ...]:
    """The weights for which the counts are likeliest, if each is Poisson with its row's mean.

    Expectation and maximisation in turn: each count is shared among its signals by what each explains of it, and a
    weight becomes what its signal explains over what the signal was. No weight becomes negative, and no step goes down.
    """
    totals = [sum(column) for column in zip(*rows, strict=True)] or [0.0] * SIGNALS
    used = [place for place, total in enumerate(totals) if total > _FLOOR]
    weights = [0.0] * SIGNALS
    for place in used:
        weights[place] = sum(counts) / totals[place] / len(used)
    claimed = [(row, count) for row, count in zip(rows, counts, strict=True) if count]
    for _ in range(_ROUNDS):
        explained = _explain(claimed, weights)
        for place in used:
            weights[place] *= explained[place] / totals[place]
    return tuple(weights)


def _explain(claimed: Sequence[tuple[Signals, int]], weights: Sequence[float]) -> list[float]:
    """How much of each signal there was, each row counting its claims over its mean."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = 0.0
    w0, w1, w2, w3, w4, w5, w6, w7, w8 = weights
    for (x0, x1, x2, x3, x4, x5, x6, x7, x8), count in claimed:
        mean = x0 * w0 + x1 * w1 + x2 * w2 + x3 * w3 + x4 * w4 + x5 * w5 + x6 * w6 + x7 * w7 + x8 * w8 + _FLOOR
        by = count / mean
        s0 += x0 * by
        s1 += x1 * by
        s2 += x2 * by
        s3 += x3 * by
        s4 += x4 * by
        s5 += x5 * by
        s6 += x6 * by
        s7 += x7 * by
        s8 += x8 * by
    return [s0, s1, s2, s3, s4, s5, s6, s7, s8]
