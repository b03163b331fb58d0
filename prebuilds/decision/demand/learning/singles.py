"""Single sizes on the past: the yardstick of a target that follows demand, and what to keep where it does not pay."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


def find_single(claims: Sequence[float], hit_rate: float, lead: float, *, waits: bool) -> int:
    """The smallest constant size with which this share of the claims would have found a prebuild ready.

    `waits` tells whether a user who finds none takes the next prebuild, rather than building a workspace of their own.
    """
    needed = sorted(_list_needed(claims, lead))
    if not needed:
        return 0
    enough = needed[min(len(needed) - 1, -int(-hit_rate * len(needed) // 1) - 1)]
    if waits:
        return enough
    low, high = 0, enough  # users who build for themselves take nothing from those who come after them
    while low < high:
        size = (low + high) // 2
        if len(_list_served(claims, size, lead)) >= hit_rate * len(claims):
            high = size
        else:
            low = size + 1
    return low


def measure_single(claims: Sequence[float], size: int, lead: float, begin: float, end: float, *, waits: bool) -> float:
    """For how many seconds prebuilds of a constant size would have stood ready, summed over all of them."""
    served = list(claims) if waits else _list_served(claims, size, lead)
    if not waits:
        return size * (end - begin) - sum(min(lead, end - at) for at in served)
    idle, last, under_way = 0.0, begin, 0
    for at, change in sorted([(at, 1) for at in served] + [(at + lead, -1) for at in served if at + lead < end]):
        idle += max(0, size - under_way) * (at - last)
        last, under_way = at, under_way + change
    return idle + max(0, size - under_way) * (end - last)


def _list_needed(claims: Sequence[float], lead: float) -> list[int]:
    """For each claim, the size that it needs if every claim begins a build: the claims of the lead time up to it."""
    return [place + 1 - bisect_right(claims, at - lead) for place, at in enumerate(claims)]


def _list_served(claims: Sequence[float], size: int, lead: float) -> list[float]:
    """The claims that find a prebuild ready, if only they begin builds."""
    served: list[float] = []
    if not size:
        return served
    for at in claims:
        if len(served) < size or served[-size] + lead <= at:
            served.append(at)
    return served
