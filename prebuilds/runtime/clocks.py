"""The system clock, and waits. Only the edge of a program should use the clock; other code is given one."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from math import ceil

from prebuilds.runtime.ports import Clock


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
