"""The system clock. Only the edge of a program should use it; all other code is given a clock."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone

from prebuilds.runtime.ports import Clock


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        return event.wait(min(timeout.total_seconds(), threading.TIMEOUT_MAX))


SYSTEM_CLOCK: Clock = SystemClock()
