"""Permits that are handed out in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from prebuilds.adapters.sqlite.connections.turns import Turns


def take_later(executor: ThreadPoolExecutor, turns: Turns, queue: int, *, seconds: float = 60) -> Future[bool]:
    """Ask for a permit in another thread; returns when so many are waiting."""
    future = executor.submit(turns.take, seconds)
    while len(turns._tickets) < queue:
        time.sleep(0)
    return future


def test_permits_are_had_at_once_while_there_are_any() -> None:
    """And again once one is given back."""
    turns = Turns(2)
    assert [turns.take(0), turns.take(0), turns.take(0)] == [True, True, False]
    assert not turns.is_free
    turns.give_back()
    assert turns.is_free
    assert turns.take(0)


def test_who_comes_first_is_served_first() -> None:
    """And nobody who comes later snatches the permit away."""
    turns, served = Turns(1), []
    turns.take(0)
    with ThreadPoolExecutor(3) as executor:
        for number in range(3):
            future = take_later(executor, turns, number + 1)
            future.add_done_callback(lambda _, number=number: served.append(number))  # type: ignore[misc]
        for number in range(3):
            turns.give_back()
            assert not turns.is_free
            assert not turns.take(0)
            while len(served) <= number:
                time.sleep(0)
    assert served == [0, 1, 2]


def test_who_gives_up_is_passed_over() -> None:
    """The permit goes to the next."""
    turns = Turns(1)
    turns.take(0)
    with ThreadPoolExecutor(2) as executor:
        first = take_later(executor, turns, 1, seconds=0.01)
        assert not first.result(timeout=60)
        second = take_later(executor, turns, 1)
        turns.give_back()
        assert second.result(timeout=60)
    assert not turns.is_free


class InterruptedLock:
    """Stands in for the lock that a waiter waits with: the wait does `on_wait`, and ends in vain."""

    on_wait: Callable[[], None]

    def acquire(self, timeout: float | None = None) -> bool:
        if timeout is not None:
            self.on_wait()
        return False

    def release(self) -> None: ...


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """One permit, which is taken; waiting for it is interrupted."""
    turns = Turns(1)
    turns.take(0)
    threads = SimpleNamespace(Lock=InterruptedLock, TIMEOUT_MAX=threading.TIMEOUT_MAX)
    monkeypatch.setattr("prebuilds.adapters.sqlite.connections.turns.threading", threads)
    return turns


def test_a_permit_that_comes_at_the_last_moment_is_taken(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is over, and the permit has been handed over by then."""
    monkeypatch.setattr(InterruptedLock, "on_wait", lambda _: turns.give_back(), raising=False)
    assert turns.take(0)
    assert not turns.is_free


@pytest.mark.parametrize("is_handed_over", [True, False])
def test_a_signal_loses_no_permit(turns: Turns, monkeypatch: pytest.MonkeyPatch, *, is_handed_over: bool) -> None:
    """What its handler raises ends the wait; a permit that was handed over meanwhile goes to the next."""

    def interrupt(_: InterruptedLock) -> None:
        if is_handed_over:
            turns.give_back()
        raise KeyboardInterrupt

    monkeypatch.setattr(InterruptedLock, "on_wait", interrupt, raising=False)
    with pytest.raises(KeyboardInterrupt):
        turns.take(0)
    assert turns.is_free is is_handed_over
    assert not turns._tickets
