"""Delays: how long to wait after repeated time-outs.

After the first time-out, a retry may follow at once, as one lost answer means little. After the second it waits, and
the wait doubles with each further time-out.
"""

from __future__ import annotations

import threading
from datetime import timedelta

import attrs

from prebuilds.runtime.clocks import round_up
from prebuilds.runtime.ports import Clock

_FIRST = timedelta(seconds=15)
_LONGEST = timedelta(minutes=10)
_MOST_KEPT = 10_000  # keys; a forgotten key starts again without delay


@attrs.frozen
class _Delay:
    times: int
    until: float
    group: str


class Delays:
    """The delays of many keys, each of a group, measured by a clock that never goes back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._delays: dict[str, _Delay] = {}

    def add(self, key: str, group: str) -> None:
        """Note that the key timed out."""
        with self._lock:
            before = self._delays.pop(key, None)
            times = before.times + 1 if before else 1
            until = self._clock.monotonic() + calculate_delay(times).total_seconds()
            self._delays[key] = _Delay(times, until, group)
            for oldest in list(self._delays)[:-_MOST_KEPT]:
                del self._delays[oldest]

    def forget(self, key: str) -> None:
        """Forget the key: it succeeded, or will not be tried again."""
        with self._lock:
            self._delays.pop(key, None)

    def is_over(self, key: str) -> bool:
        """Whether the key may be tried now."""
        delay = self._delays.get(key)
        return delay is None or delay.until <= self._clock.monotonic()

    def find_waits(self) -> dict[str, timedelta]:
        """How long until the next delay of each group ends; groups without one are left out."""
        now, waits = self._clock.monotonic(), dict[str, float]()
        with self._lock:
            delays = [delay for delay in self._delays.values() if delay.until > now]
        for delay in delays:
            waits[delay.group] = min(waits.get(delay.group, delay.until), delay.until)
        return {group: round_up(until - now) for group, until in waits.items()}


def calculate_delay(times: int) -> timedelta:
    """The delay after this many time-outs: 0 s, 15 s, 30 s, 1 min, and so on up to 10 min."""
    return min(_FIRST * 2 ** min(times - 2, 20), _LONGEST) if times > 1 else timedelta()
