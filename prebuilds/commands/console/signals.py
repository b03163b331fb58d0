"""Ctrl-C, SIGTERM and SIGHUP: what they do to a command.

- By default a signal ends the command, without a traceback. The exit status is 128 plus the number of the signal, as in
  shells.
- A command with something to clean up, such as the lease of `run`, is asked to stop. A second signal ends it at once.
- If SIGHUP is ignored, as under `nohup`, it stays ignored.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from prebuilds.runtime.loop.timing.wakeups import Wakeup

_Handler = Callable[[int, "FrameType | None"], None]


class CutOff(KeyboardInterrupt):
    """A signal ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


class Stop:
    """Says whether a command has been asked to stop, and with which exit status."""

    def __init__(self) -> None:
        self.event = Wakeup()
        self.status = 0


def run_until_signal(command: Callable[[], int]) -> int:
    """Run a command and return its exit status, or that of the signal that ended it."""
    try:
        with _handling(_cut_off):
            return command()
    except CutOff as end:
        return end.status


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[Stop]:
    """At the first signal call `stop`, which must not wait for anything, instead of ending the command."""
    asked = Stop()

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.status:
            _cut_off(number, frame)
        asked.status = 128 + number
        asked.event.set()
        stop()

    with _handling(handle):
        yield asked


def _cut_off(number: int, _: FrameType | None) -> None:
    raise CutOff(number)


@contextmanager
def _handling(handler: _Handler) -> Iterator[None]:
    """Handle the signals with this handler until the block ends. Does nothing outside the main thread, as Python
    handles signals only there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _list_signals()}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)


def _list_signals() -> Iterator[int]:
    yield from (signal.SIGINT, signal.SIGTERM)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        yield signal.SIGHUP
