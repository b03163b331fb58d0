"""Delays: how long something waits that has timed out, and did so before.

The first time it may be tried again at once, as one answer that is lost means little. From then on it waits, and twice
as long after each further time.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from math import ceil

import attrs

from prebuilds.runtime.ports import Clock

_FIRST = timedelta(seconds=15)
_LONGEST = timedelta(minutes=10)
_MOST_KEPT = 10_000  # keys; the delay of one that is forgotten begins anew


@attrs.frozen
class _Delay:
    times: int
    until: float


class Delays:
    """The delays of any number of keys, measured by a clock that never goes back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._delays: dict[str, _Delay] = {}

    def add(self, key: str) -> None:
        """It has timed out."""
        with self._lock:
            before = self._delays.pop(key, None)
            times = before.times + 1 if before else 1
            until = self._clock.monotonic() + calculate_delay(times).total_seconds()
            self._delays[key] = _Delay(times, until)
            for oldest in list(self._delays)[:-_MOST_KEPT]:
                del self._delays[oldest]

    def forget(self, key: str) -> None:
        """It went well, or will not be tried again."""
        with self._lock:
            self._delays.pop(key, None)

    def is_over(self, key: str) -> bool:
        """Whether it may be tried now."""
        delay = self._delays.get(key)
        return delay is None or delay.until <= self._clock.monotonic()

    def find_wait(self) -> timedelta | None:
        """How long until the first delay is over that is not yet; None if there is none."""
        now = self._clock.monotonic()
        with self._lock:
            waits = [delay.until - now for delay in self._delays.values() if delay.until > now]
        # Rounded up: a moment early would be too early, and then be waited for in a circle.
        return timedelta(microseconds=ceil(min(waits) * 1_000_000)) if waits else None


def calculate_delay(times: int) -> timedelta:
    """The delay after so many time-outs: 0 s, 15 s, 30 s, 1 min, and so on, 10 min at most."""
    return min(_FIRST * 2 ** min(times - 2, 20), _LONGEST) if times > 1 else timedelta()
