"""Wakeups are events, and setting one never waits."""

from __future__ import annotations

import threading

import pytest

from prebuilds.runtime.loop.timing.wakeups import Wakeup


def test_it_is_set_until_it_is_cleared() -> None:
    """As often as that is done; it is not set at first."""
    wakeup = Wakeup()
    assert (wakeup.is_set(), wakeup.wait(0), wakeup.wait(-1)) == (False, False, False)
    for _ in range(2):
        wakeup.set()
        wakeup.set()
        assert (wakeup.is_set(), wakeup.wait(0), wakeup.wait(), wakeup.is_set()) == (True, True, True, True)
        wakeup.clear()
        wakeup.clear()
        assert (wakeup.is_set(), wakeup.wait(0.001)) == (False, False)


def test_it_wakes_a_thread_that_waits() -> None:
    """At once, however long that would have waited."""
    wakeup = Wakeup()
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(wakeup.wait(60)))
    thread.start()
    wakeup.set()
    thread.join(60)
    assert answers == [True]


@pytest.mark.parametrize("method", ["is_set", "set", "clear", "wait"])
def test_it_is_set_by_a_handler_at_any_moment(method: str) -> None:
    """A handler that sets it can run between any two lines of the code that it interrupts, and never waits."""
    assert _set_at_each_line(method) >= 1


def _set_at_each_line(method: str) -> int:
    """Set it before each line of a method, as a signal's handler would, and count them."""
    import sys

    count = 0
    wakeup = Wakeup()

    def trace(frame, event, _):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        nonlocal count
        if frame.f_code.co_filename.endswith(("wakeups.py", "threading.py")) and event == "line":
            sys.settrace(None)
            wakeup.set()
            sys.settrace(trace)
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        getattr(wakeup, method)(*([60] if method == "wait" else []))
    finally:
        sys.settrace(before)
    return count
