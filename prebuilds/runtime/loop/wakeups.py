"""What wakes the loop: an event that a signal handler can set while the thread that it interrupts waits for it.

- A handler runs in the main thread, between any two of its instructions. So it must never wait for a lock: the code
  that it has interrupted may hold it, and goes on only when the handler has returned.
- `threading.Event.set` takes such a lock. Here one plain lock *is* the state: held while nothing has happened, and free
  once something has. To set is to release it, which never waits.
"""

from __future__ import annotations

import threading
from contextlib import suppress


class Wakeup(threading.Event):
    """An event for one thread, which alone waits for it and clears it. Anybody may set it, a signal handler too."""

    def __init__(self) -> None:
        self._quiet = threading.Lock()
        self._quiet.acquire()

    def is_set(self) -> bool:
        """Whether something has happened since it was cleared."""
        return not self._quiet.locked()

    def set(self) -> None:
        """Wake the thread that waits. It waits for nothing itself."""
        with suppress(RuntimeError):  # it was free, hence set
            self._quiet.release()

    def clear(self) -> None:
        """Forget what has happened."""
        self._quiet.acquire(blocking=False)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, for so many seconds at most. Returns whether it is."""
        is_set = self._quiet.acquire(timeout=-1 if timeout is None else max(timeout, 0))
        if is_set:
            self.set()
        return is_set
