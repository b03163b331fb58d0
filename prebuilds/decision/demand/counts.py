"""Counts: how many prebuilds are worth their price, if claims are negative binomial.

The n-th prebuild serves the claims that find exactly n - 1 others claimed in a lead time: `n p(n) / lead` an hour. It
idles while fewer than n are claimed. Its worth is the first over the second, in claims per idle hour; it never rises
with n. A price keeps those that are worth more. So misses fall where readiness is dearest, as in the newsvendor
problem, which a fixed quantile cannot do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import exp, inf, log

LEAST_PRICE = 10**-9.5  # claims per idle hour


def iterate_chances(mean: float, spread: float) -> Iterator[float]:
    """The chances of 0, 1, 2 and so on, for a mean above 0 and a variance of `spread` times that.

    Negative binomial, or Poisson for a spread of 1. In logarithms, as the first chances of a large mean underflow.
    """
    over = spread - 1
    chance = -mean if over < 1e-9 else -mean / over * log(spread)
    number = 0
    while True:
        yield exp(chance)
        number += 1
        # p(n) / p(n - 1): the mean over n, or (r + n - 1) / n x (1 - 1 / spread) with r = mean / (spread - 1)
        chance += log((mean + over * (number - 1)) / (number * spread))


@lru_cache(maxsize=2**11)
def list_worths(mean: float, spread: float, lead: float, most: int) -> tuple[float, ...]:
    """What each prebuild is worth, from the first on, negated so that the numbers rise. `lead` is in seconds.

    It ends at `most`, or before the first that is worth less than any price.
    """
    worths: list[float] = []
    chances = iterate_chances(mean, spread)
    fewer, last = next(chances), inf
    while len(worths) < most:
        chance = next(chances)
        served = (len(worths) + 1) * chance * 3600 / lead
        last = min(last, served / fewer if fewer > 0 else inf)
        if last < LEAST_PRICE:
            break
        worths.append(-last)
        fewer += chance
    return tuple(worths)


def count_worthy(worths: Sequence[float], price: float) -> int:
    """How many prebuilds are worth more than the price, of worths as `list_worths` gives them."""
    return bisect_left(worths, -price)
