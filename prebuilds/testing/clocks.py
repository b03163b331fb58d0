"""A clock that you move by hand, so that tests pass hours in no time.

- Only `advance` and `wait` move it, and never back.
- Any number of threads may share a clock.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from prebuilds.decision.fields import require_instant
from prebuilds.errors import InvalidValueError


class ManualClock:
    """A `Clock` that starts at `now`, an aware datetime, and moves only by hand.

    Raises `InvalidValueError` for a naive instant and for a negative advance.
    """

    def __init__(self, now: datetime) -> None:
        self._began = require_instant("ManualClock", "now", now)
        self._passed = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The current instant, in UTC."""
        return self._began + self._passed

    def monotonic(self) -> float:
        """The seconds since the clock was made."""
        return self._passed.total_seconds()

    def advance(self, duration: timedelta) -> None:
        """Move on by this much."""
        if duration < timedelta():
            raise InvalidValueError("ManualClock", "duration", duration, "a timedelta of 0 or more")
        with self._lock:
            self._passed += duration

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        """Return True at once if the event is set. Otherwise move on by `timeout`, as if nothing had set it.

        Returns whether the event is set then. A negative timeout counts as 0.
        """
        if not event.is_set():
            self.advance(max(timeout, timedelta()))
        return event.is_set()
