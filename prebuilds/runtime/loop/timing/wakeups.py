"""The loop's wakeup: an event that a signal handler can set, even if it interrupts the thread that waits for it.

- A handler runs in the main thread, between any two instructions. So it must never wait for a lock: the code that it
  has interrupted may hold the lock, and goes on only after the handler returns.
- `threading.Event.set` takes a lock of that kind. Here one plain lock *is* the state: held while nothing has happened,
  and free once something has. Setting the event releases the lock, which never waits.
"""

from __future__ import annotations

import threading
from contextlib import suppress


class Wakeup(threading.Event):
    """An event that one thread waits for and clears. Any thread may set it, and so may a signal handler."""

    def __init__(self) -> None:
        self._quiet = threading.Lock()
        self._quiet.acquire()

    def is_set(self) -> bool:
        """Whether it was set since it was last cleared."""
        return not self._quiet.locked()

    def set(self) -> None:
        """Wake the waiting thread. Never waits itself."""
        with suppress(RuntimeError):  # it was free, so already set
            self._quiet.release()

    def clear(self) -> None:
        """Forget that it was set."""
        self._quiet.acquire(blocking=False)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, for at most `timeout` seconds. Returns whether it is set."""
        is_set = self._quiet.acquire(timeout=-1 if timeout is None else max(timeout, 0))
        if is_set:
            self.set()
        return is_set
