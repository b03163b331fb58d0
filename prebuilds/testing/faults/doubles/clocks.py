"""A clock that jumps: its wall clock moves forward or back, while its waits go on evenly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from prebuilds.runtime.ports import Clock


class JumpingClock:
    """A `Clock` whose wall clock is `offset` ahead of the one of `clock`.

    `rest` replaces its `wait`, and takes the same arguments.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        offset: timedelta = timedelta(),
        rest: Callable[[threading.Event, timedelta], bool] | None = None,
    ) -> None:
        self._clock = clock
        self._rest = rest or clock.wait
        self.offset = offset

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forward, or back if `by` is negative."""
        self.offset += by

    def now(self) -> datetime:
        return self._clock.now() + self.offset

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        return self._rest(event, timeout)
