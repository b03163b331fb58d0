"""What counts as a number, and which of some values in order a share of them does not exceed."""

from __future__ import annotations

from math import ceil, isfinite
from typing import Any


def is_number(value: Any) -> bool:
    """Whether it is an int or a float, finite, and not too large for a float. True and False are no numbers."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:  # an int of more than 308 digits
        return False


def find_rank(share: float, count: int) -> int:
    """The least rank, from 1, up to which there is at least this share, above 0, of so many values.

    It is the least `rank` with `rank / count >= share`. `ceil(share * count)` can be one too high: 0.07 * 100 is
    7.000000000000001.
    """
    rank = ceil(share * count)
    while (rank - 1) / count >= share:
        rank -= 1
    while rank / count < share:
        rank += 1
    return rank
