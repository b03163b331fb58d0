"""The semaphore serves threads in the order in which they ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from prebuilds.adapters.sqlite.connections.fair_semaphore import FairSemaphore


def take_later(
    executor: ThreadPoolExecutor, semaphore: FairSemaphore, queue: int, *, seconds: float = 60
) -> Future[bool]:
    """Ask for a permit in another thread; returns once that many are waiting."""
    future = executor.submit(semaphore.acquire, seconds)
    while len(semaphore._tickets) < queue:
        time.sleep(0)
    return future


def test_free_permits_are_granted_at_once() -> None:
    """And again once one is given back."""
    semaphore = FairSemaphore(2)
    assert [semaphore.acquire(0), semaphore.acquire(0), semaphore.acquire(0)] == [True, True, False]
    assert not semaphore.is_free
    semaphore.release()
    assert semaphore.is_free
    assert semaphore.acquire(0)


def test_waiters_are_served_in_order() -> None:
    """A later thread cannot snatch the permit."""
    semaphore, served = FairSemaphore(1), []
    semaphore.acquire(0)
    with ThreadPoolExecutor(3) as executor:
        for number in range(3):
            future = take_later(executor, semaphore, number + 1)
            future.add_done_callback(lambda _, number=number: served.append(number))  # type: ignore[misc]
        for number in range(3):
            semaphore.release()
            assert not semaphore.is_free
            assert not semaphore.acquire(0)
            while len(served) <= number:
                time.sleep(0)
    assert served == [0, 1, 2]


def test_a_waiter_that_gives_up_is_skipped() -> None:
    """The permit goes to the next."""
    semaphore = FairSemaphore(1)
    semaphore.acquire(0)
    with ThreadPoolExecutor(2) as executor:
        first = take_later(executor, semaphore, 1, seconds=0.01)
        assert not first.result(timeout=60)
        second = take_later(executor, semaphore, 1)
        semaphore.release()
        assert second.result(timeout=60)
    assert not semaphore.is_free


class InterruptedLock:
    """Stands in for the lock that a waiter waits with: the wait does `on_wait`, and ends in vain."""

    on_wait: Callable[[], None]

    def acquire(self, timeout: float | None = None) -> bool:
        if timeout is not None:
            self.on_wait()
        return False

    def release(self) -> None: ...


@pytest.fixture
def semaphore(monkeypatch: pytest.MonkeyPatch) -> FairSemaphore:
    """One permit, which is taken; waiting for it is interrupted."""
    semaphore = FairSemaphore(1)
    semaphore.acquire(0)
    threads = SimpleNamespace(Lock=InterruptedLock, TIMEOUT_MAX=threading.TIMEOUT_MAX)
    monkeypatch.setattr("prebuilds.adapters.sqlite.connections.fair_semaphore.threading", threads)
    return semaphore


def test_a_permit_that_comes_at_the_last_moment_is_taken(
    semaphore: FairSemaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is over, and the permit has been handed over by then."""
    monkeypatch.setattr(InterruptedLock, "on_wait", lambda _: semaphore.release(), raising=False)
    assert semaphore.acquire(0)
    assert not semaphore.is_free


@pytest.mark.parametrize("is_handed_over", [True, False])
def test_a_signal_loses_no_permit(
    semaphore: FairSemaphore, monkeypatch: pytest.MonkeyPatch, *, is_handed_over: bool
) -> None:
    """What its handler raises ends the wait; a permit that was handed over meanwhile goes to the next."""

    def interrupt(_: InterruptedLock) -> None:
        if is_handed_over:
            semaphore.release()
        raise KeyboardInterrupt

    monkeypatch.setattr(InterruptedLock, "on_wait", interrupt, raising=False)
    with pytest.raises(KeyboardInterrupt):
        semaphore.acquire(0)
    assert semaphore.is_free is is_handed_over
    assert not semaphore._tickets
