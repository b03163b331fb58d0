"""Threads for calls: each does one call after another, and ends when there has been none for a moment.

Starting a thread costs more than most calls. A thread whose call hangs does no other; new calls get another thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

_LINGER = 0.05  # seconds: longer than from one group of a batch to the next
_Task = tuple[str, Callable[[], None]]
IDLE = "prebuilds, idle"
"""The name of a thread that waits for a call."""


class Workers:
    """Daemon threads, as many as there are calls at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: SimpleQueue[_Task] = SimpleQueue()
        self._free = 0  # threads that wait, and for which there is no task in the queue

    def run(self, name: str, function: Callable[[], None]) -> None:
        """Run the function in a thread of this name. Raises what starting a thread raises."""
        with self._lock:
            is_free = self._free > 0
            if is_free:
                self._free -= 1
                self._tasks.put((name, function))
        if not is_free:
            threading.Thread(target=self._work, args=((name, function),), name=name, daemon=True).start()

    def _work(self, task: _Task | None) -> None:
        thread = threading.current_thread()
        while task:
            thread.name, function = task
            function()
            thread.name = IDLE
            task = self._wait()

    def _wait(self) -> _Task | None:
        with self._lock:
            self._free += 1
        try:
            return self._tasks.get(timeout=_LINGER)
        except Empty:
            return self._leave()

    def _leave(self) -> _Task | None:
        """Stop waiting, unless there is a task for every thread that waits."""
        with self._lock:
            if self._free:
                self._free -= 1
                return None
        return self._tasks.get()
