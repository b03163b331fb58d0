"""The machine's clock, and clocks that follow the clock of a store. Code is given a clock, and makes none.

A clock that follows a store is right where the machine's clock is wrong:

- It asks the store for its time, and goes on from there by the machine's count of seconds. That count is right even
  where the machine's clock is hours off, so a claim needs no trip for the time.
- It asks again after `_KEEPS`, and at once when the machine's clock and its count of seconds disagree: then the clock
  was set, or the machine slept.
- It never asks inside a transaction, where that could exhaust a small pool.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from math import ceil

import attrs

from prebuilds.runtime.ports import Clock, Store, StoreClock
from prebuilds.runtime.publishing.commit_guard import is_in_transaction

_KEEPS = 30.0  # seconds; clocks that run apart by 100 in a million differ by 3 ms then
_JUMP = timedelta(seconds=1)


def round_up(seconds: float) -> timedelta:
    """The wait in whole microseconds, rounded up: waking even half a microsecond early would make a loop spin."""
    return timedelta(microseconds=ceil(seconds * 1_000_000))


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        return event.wait(min(timeout.total_seconds(), threading.TIMEOUT_MAX))


SYSTEM_CLOCK: Clock = SystemClock()


@attrs.frozen(kw_only=True)
class _Sighting:
    """What the store's clock and the host's clock showed, and the host's count of seconds."""

    store: datetime
    host: datetime
    seconds: float


class FollowingClock:
    """A `Clock` that shows the time of `read_time`, which asks the store. It waits and counts seconds as `host` does.

    It asks once when it is made, and raises what `read_time` raises. Later it goes on by the last answer while the
    store does not answer, unless the host's clock has jumped: then it raises.
    """

    def __init__(self, read_time: Callable[[], datetime], host: Clock) -> None:
        self._read_time = read_time
        self._host = host
        self._ask_at = 0.0
        self._sighting = self._look()

    def now(self) -> datetime:
        if not is_in_transaction():
            self._follow()
        sighting = self._sighting
        return sighting.store + timedelta(seconds=self._host.monotonic() - sighting.seconds)

    def monotonic(self) -> float:
        return self._host.monotonic()

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        return self._host.wait(event, timeout)

    def _follow(self) -> None:
        if self._has_jumped():
            self._sighting = self._look()
        elif self._host.monotonic() >= self._ask_at:
            self._ask_at = self._host.monotonic() + _KEEPS  # first, so that other threads go on meanwhile
            with suppress(TimeoutError):  # the count of seconds is still right, and the caller's own trip will tell
                self._sighting = self._look()

    def _has_jumped(self) -> bool:
        seen = self._sighting
        passed = timedelta(seconds=self._host.monotonic() - seen.seconds)
        return abs(self._host.now() - seen.host - passed) > _JUMP

    def _look(self) -> _Sighting:
        """Ask the store. Its answer is as old as its way back, not as the wait for a connection before it."""
        store = self._read_time()
        seconds = self._host.monotonic()
        self._ask_at = seconds + _KEEPS
        return _Sighting(store=store, host=self._host.now(), seconds=seconds)


def choose_clock(store: Store, clock: Clock) -> Clock:
    """The clock for work on this store: the store's own instead of the machine's, where the store has one."""
    if isinstance(clock, SystemClock) and isinstance(store, StoreClock):
        return store.follow_clock(clock)
    return clock
