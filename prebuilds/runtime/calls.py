"""Calls to the host that are given up on after a while, so that one that hangs stops neither a pass nor a process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from prebuilds.errors import CallTimedOutError


class LimitedCalls:
    """Runs functions, each for a limited time and a limited number at once.

    A call that is given up on goes on in a thread that keeps no process alive, and keeps its place until it ends: so
    there are never more than `most` threads, however many calls hang.
    """

    def __init__(self, *, most: int, timeout: timedelta) -> None:
        self._places = threading.BoundedSemaphore(most)
        self.timeout = timeout
        self._seconds = timeout.total_seconds()

    def call(self, what: str, function: Callable[[], None]) -> None:
        """Run the function and raise what it raises. Raises `CallTimedOutError` if it does not return in time."""
        if not self._places.acquire(timeout=self._seconds):
            raise CallTimedOutError(what, self._seconds)
        ended = threading.Event()
        errors: list[BaseException] = []

        def run() -> None:
            try:
                function()
            except BaseException as error:  # raised again where the call came from
                errors.append(error)
            finally:
                self._places.release()
                ended.set()

        threading.Thread(target=run, name=f"prebuilds: {what}", daemon=True).start()
        if not ended.wait(self._seconds):
            raise CallTimedOutError(what, self._seconds)
        if errors:
            raise errors[0]
