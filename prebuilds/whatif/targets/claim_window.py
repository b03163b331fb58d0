"""Claim windows: how many claims came within a duration, up to now."""

from __future__ import annotations

from collections import deque
from math import inf


class ClaimWindow:
    """Counts the claims of the last seconds. A claim counts from its instant until this long after it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._claims: deque[float] = deque()

    def add(self, at: float) -> None:
        self._claims.append(at)

    def count(self, now: float) -> int:
        claims, first = self._claims, now - self._seconds
        while claims and claims[0] <= first:
            claims.popleft()
        return len(claims)

    def find_next_change(self) -> float:
        """When the count falls next, if nobody claims; infinity if it is 0."""
        return self._claims[0] + self._seconds if self._claims else inf


def clamp(value: int, least: int, most: int) -> int:
    """The value, but at least and at most these. If they contradict, `most` wins."""
    return min(max(value, least), most)
