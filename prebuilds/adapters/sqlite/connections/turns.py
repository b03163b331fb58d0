"""Permits that are handed out in turn.

- Whoever asks first is served first. A permit that is given back goes to the one who waits longest, and nobody who
  comes later can snatch it away.
- Every wait is bounded.
"""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A number of permits. `threading.Semaphore` has them too, but lets whoever comes at the right moment go first."""

    def __init__(self, permits: int) -> None:
        self._lock = threading.Lock()
        self._free = permits
        self._tickets: deque[threading.Lock] = deque()

    @property
    def is_free(self) -> bool:
        """Whether a permit would be had at once."""
        return self._free > 0

    def take(self, seconds: float) -> bool:
        """Wait for a permit so long at most; False if there was none."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            ticket = threading.Lock()
            ticket.acquire()
            self._tickets.append(ticket)
        try:
            is_served = ticket.acquire(timeout=min(max(seconds, 0), threading.TIMEOUT_MAX))
        except BaseException:  # a signal's handler may raise whatever it likes
            if not self._withdraw(ticket):
                self.give_back()
            raise
        return is_served or not self._withdraw(ticket)

    def give_back(self) -> None:
        """Hand a permit to the one who waits longest, or keep it for the next to come."""
        with self._lock:
            if self._tickets:
                self._tickets.popleft().release()
            else:
                self._free += 1

    def _withdraw(self, ticket: threading.Lock) -> bool:
        """Wait no longer; False if the permit came at the last moment."""
        with self._lock:
            is_waiting = ticket in self._tickets
            if is_waiting:
                self._tickets.remove(ticket)
            return is_waiting
