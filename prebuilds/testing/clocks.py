"""A clock that stands still until it is told to move on, so that tests pass hours in no time.

- Nothing but `advance` and `wait` moves it, and never back.
- Any number of threads may use one clock.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from prebuilds.decision.fields import require_instant
from prebuilds.errors import InvalidValueError


class ManualClock:
    """A `Clock` that begins at `now`, an aware datetime, and moves only when told to.

    Raises `InvalidValueError` for a naive instant, and for an advance of less than nothing.
    """

    def __init__(self, now: datetime) -> None:
        self._began = require_instant("ManualClock", "now", now)
        self._passed = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The instant, in UTC."""
        return self._began + self._passed

    def monotonic(self) -> float:
        """The seconds that have passed since the clock was made."""
        return self._passed.total_seconds()

    def advance(self, duration: timedelta) -> None:
        """Move on by this much."""
        if duration < timedelta():
            raise InvalidValueError("ManualClock", "duration", duration, "a timedelta of 0 or more")
        with self._lock:
            self._passed += duration

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        """True at once if the event is set; else move on by `timeout`, as if it had been waited for in vain.

        Returns whether the event is set then. A timeout of less than 0 is one of 0.
        """
        if not event.is_set():
            self.advance(max(timeout, timedelta()))
        return event.is_set()
