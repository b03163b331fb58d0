"""A manual clock moves only by hand, and never back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from prebuilds import InvalidValueError
from prebuilds.runtime.ports import Clock
from prebuilds.testing.clocks import ManualClock

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def read(clock: Clock) -> tuple[datetime, float]:
    return clock.now(), clock.monotonic()


def test_it_stands_still_until_advanced() -> None:
    """Both of its readings move by what it is advanced by."""
    clock = ManualClock(NOW)
    assert read(clock) == read(clock) == (NOW, 0.0)
    clock.advance(HOUR)
    assert read(clock) == (NOW + HOUR, 3600.0)


def test_it_reads_in_utc() -> None:
    """In any zone that it was given."""
    clock = ManualClock(NOW.astimezone(timezone(HOUR)))
    assert clock.now().utcoffset() == timedelta()


def test_waiting_for_an_event_that_is_set_takes_no_time() -> None:
    """It is true at once."""
    clock, event = ManualClock(NOW), threading.Event()
    event.set()
    assert clock.wait(event, HOUR)
    assert read(clock) == (NOW, 0.0)


@pytest.mark.parametrize(("timeout", "passed"), [(HOUR, HOUR), (timedelta(), timedelta()), (-HOUR, timedelta())])
def test_waiting_in_vain_takes_the_whole_timeout(timeout: timedelta, passed: timedelta) -> None:
    """Passed on the clock alone; a timeout that is over already takes none."""
    clock = ManualClock(NOW)
    assert not clock.wait(threading.Event(), timeout)
    assert clock.now() == NOW + passed


def test_no_advance_of_many_threads_is_lost() -> None:
    """What each adds is there in the end."""
    clock = ManualClock(NOW)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: clock.advance(HOUR), range(1_000)))
    assert clock.monotonic() == 1_000 * 3600.0


def test_it_refuses_to_go_back() -> None:
    """Nor does it begin at an instant that nobody can place."""
    with pytest.raises(InvalidValueError, match=r"ManualClock.duration: .* must be a timedelta of 0 or more"):
        ManualClock(NOW).advance(-HOUR)
    with pytest.raises(InvalidValueError, match=r"ManualClock.now: .* must be a datetime with a time zone"):
        ManualClock(NOW.replace(tzinfo=None))
