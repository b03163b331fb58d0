"""The clock of the machine. Only the edge of a program should ask for it; everything else is handed a clock."""

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
