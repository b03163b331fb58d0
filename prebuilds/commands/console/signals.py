"""Ctrl-C, SIGTERM and SIGHUP: what they do to a command.

- A command that is cut off ends without a traceback. Its exit status is 128 and the number of the signal, as in shells.
- A command that has something to give back, as `run` has its lease, is asked to stop. A second signal cuts it off.
- SIGHUP that is ignored, as under `nohup`, stays ignored.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from prebuilds.runtime.loop.wakeups import Wakeup

_Handler = Callable[[int, "FrameType | None"], None]


class CutOff(KeyboardInterrupt):
    """A signal has come that ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


class Stop:
    """Whether a command has been asked to stop, and its exit status if so."""

    def __init__(self) -> None:
        self.event = Wakeup()
        self.status = 0


def run_until_signal(command: Callable[[], int]) -> int:
    """Run a command, and return its exit status or that of being cut off."""
    try:
        with _handling(_cut_off):
            return command()
    except CutOff as end:
        return end.status


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[Stop]:
    """Call `stop` at the first signal, in place of cutting the command off. It must not wait for anything."""
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
    """Have these signals handled so until the block ends. Python handles signals in the main thread alone."""
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
