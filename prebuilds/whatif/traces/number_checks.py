"""Numbers: what counts as one, and the rank of a quantile."""

from __future__ import annotations

from math import ceil, isfinite
from typing import Any


def is_number(value: Any) -> bool:
    """Whether a value is a finite int or float that fits into a float. True and False are not numbers."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:  # an int of more than 308 digits
        return False


def find_rank(share: float, count: int) -> int:
    """The rank, from 1, of a quantile: the smallest `rank` with `rank / count >= share`. The share is above 0.

    `ceil(share * count)` can be one too high: 0.07 * 100 is
    7.000000000000001.
    """
    rank = ceil(share * count)
    while (rank - 1) / count >= share:
        rank -= 1
    while rank / count < share:
        rank += 1
    return rank
