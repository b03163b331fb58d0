"""A relay that works in the background, so that nobody waits while messages are sent."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.forks import follow_forks
from prebuilds.runtime.logs import attempt
from prebuilds.runtime.ports import Clock
from prebuilds.runtime.publishing.relays import Relay

_log = logging.getLogger(__name__)

_FIRST_PAUSE, _LAST_PAUSE = timedelta(seconds=0.1), timedelta(seconds=30)


class BackgroundRelay:
    """Flushes another relay in a thread of its own. `flush` only wakes the thread, and returns 0.

    However often it is woken meanwhile, the thread flushes once more. If that raises, the error is logged, and the
    thread tries again after a pause that doubles from 0.1 s to 30 s. The messages wait in the outbox.

    The first `flush` starts the thread, and `close` ends it. A forked child has a thread of its own.
    """

    def __init__(self, relay: Relay, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._relay = relay
        self._clock = clock
        self._is_closed = False
        self._reset()
        follow_forks(self, BackgroundRelay._reset)

    def flush(self) -> int:
        """Have all waiting messages published soon. After `close`, publish them now, and return their number."""
        if self._is_closed:
            return self._relay.flush()
        self._wanted.set()
        if self._thread is None:
            self._start()
        return 0

    def close(self) -> None:
        """Flush once more, and end the thread."""
        with self._starting:
            self._is_closed, thread = True, self._thread
        if thread:
            self._closing.set()
            self._wanted.set()
            thread.join()

    def _reset(self) -> None:
        self._wanted, self._closing = threading.Event(), threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="prebuilds-relay", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closing.is_set():
            self._wanted.wait()
            self._wanted.clear()  # before the flush, so that later commits ask again
            if self._flush():
                pause = _FIRST_PAUSE
            else:
                self._wanted.set()
                self._clock.wait(self._closing, pause)
                pause = min(2 * pause, _LAST_PAUSE)

    def _flush(self) -> bool:
        return attempt(_log, "messages not published", self._relay.flush)  # they are committed, and still wait
