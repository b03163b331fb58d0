"""A semaphore that serves threads in the order in which they ask, for a bounded time each.

`threading.Semaphore` may give a free permit to a thread that has just come. Here a returned permit goes straight to the
thread that has waited longest.
"""

from __future__ import annotations

import threading
from collections import deque


class FairSemaphore:
    """A number of permits, first come, first served."""

    def __init__(self, permits: int) -> None:
        self._lock = threading.Lock()
        self._free = permits
        self._tickets: deque[threading.Lock] = deque()

    @property
    def is_free(self) -> bool:
        """Whether a permit can be had at once."""
        return self._free > 0

    def acquire(self, seconds: float) -> bool:
        """Wait for a permit, for `seconds` at most. Returns whether it got one."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            ticket = threading.Lock()
            ticket.acquire()
            self._tickets.append(ticket)
        try:
            is_served = ticket.acquire(timeout=min(max(seconds, 0), threading.TIMEOUT_MAX))
        except BaseException:  # a signal handler may raise anything
            if not self._withdraw(ticket):
                self.release()
            raise
        return is_served or not self._withdraw(ticket)

    def release(self) -> None:
        """Hand the permit to the thread that has waited longest, or keep it for the next."""
        with self._lock:
            if self._tickets:
                self._tickets.popleft().release()
            else:
                self._free += 1

    def _withdraw(self, ticket: threading.Lock) -> bool:
        """Stop waiting. Returns False if the permit came at the last moment."""
        with self._lock:
            is_waiting = ticket in self._tickets
            if is_waiting:
                self._tickets.remove(ticket)
            return is_waiting
