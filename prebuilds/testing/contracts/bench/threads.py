"""Other threads, for what can only be seen from two sides.

- Nothing waits without an end: whoever does not answer is given up on, and told of.
- Whether one transaction waits for another cannot be seen, only that it has not come through. A store that breaks a
  rule may be lucky for once; one that keeps it is never blamed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager
from queue import SimpleQueue
from typing import TypeVar

from prebuilds.runtime.models import Lease
from prebuilds.runtime.ports import Isolation, Store, Transaction
from prebuilds.testing.contracts.bench.describing import Mismatch

_T = TypeVar("_T")
PATIENCE = 60.0
"""Seconds after which a thread is given up on."""
_GRACE = 0.05  # seconds in which whoever does not have to wait comes through, most often


class Worker:
    """A thread that does what it is handed, one after another. It ends with the process at the latest."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def begin(self, function: Callable[[], _T]) -> Future[_T]:
        """Hand it a function."""
        future: Future[_T] = Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._calls.put(run)
        return future

    def call(self, function: Callable[[], _T]) -> _T:
        """Hand it a function, and wait for what it returns."""
        return get_answer(self.begin(function))

    def stop(self) -> None:
        """Let it end when it has done everything."""
        self._calls.put(None)

    def _work(self) -> None:
        while call := self._calls.get():
            call()


class HeldTransaction:
    """A transaction that a thread of its own keeps open."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Transaction]]) -> None:
        self._worker = Worker()
        self._manager = self._worker.call(begin)
        self._tx = self._worker.call(self._manager.__enter__)
        self._is_open = True

    def call(self, function: Callable[[Transaction], _T]) -> _T:
        """Do something in it."""
        return self._worker.call(lambda: function(self._tx))

    def end(self, error: BaseException | None = None) -> None:
        """Let its block end, with this error if there is one. Nothing if it has ended."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._worker.call(lambda: self._manager.__exit__(type(error) if error else None, error, None))
        except BaseException as raised:
            if raised is not error:
                raise
        finally:
            self._worker.stop()


@contextmanager
def hold_open(
    store: Store,
    *,
    isolation: Isolation = Isolation.READ_COMMITTED,
    read_only: bool = False,
    lease: Lease | None = None,
) -> Iterator[HeldTransaction]:
    """A transaction that is open in another thread, and committed with the block if not before."""
    held = HeldTransaction(lambda: store.transaction(isolation=isolation, read_only=read_only, lease=lease))
    try:
        yield held
    except BaseException as error:
        held.end(error)
        raise
    held.end()


@contextmanager
def begin_elsewhere(function: Callable[[], _T]) -> Iterator[Future[_T]]:
    """Do something in another thread, tried again for as long as it times out; wait a little, but not for its end."""
    worker = Worker()
    future = worker.begin(lambda: insist(function))
    wait([future], timeout=_GRACE)
    try:
        yield future
    finally:
        worker.stop()


def race(functions: Sequence[Callable[[], _T]]) -> Sequence[_T]:
    """What they return when they all begin at once, each in a thread of its own and insisted on."""
    barrier = threading.Barrier(len(functions))
    workers = [Worker() for _ in functions]

    def begin(function: Callable[[], _T]) -> _T:
        barrier.wait(PATIENCE)
        return insist(function)

    pairs = zip(workers, functions, strict=True)
    futures = [worker.begin(lambda function=function: begin(function)) for worker, function in pairs]  # type: ignore[misc]
    for worker in workers:
        worker.stop()
    return [get_answer(future) for future in futures]


def insist(function: Callable[[], _T]) -> _T:
    """Try again for as long as it times out, which says that nothing was written."""
    patient_until = time.monotonic() + PATIENCE
    while True:
        try:
            return function()
        except TimeoutError:
            if time.monotonic() > patient_until:
                raise


def get_answer(future: Future[_T]) -> _T:
    """What a thread returned or raised. Raises `Mismatch` if it does neither in time."""
    wait([future], timeout=PATIENCE)
    if not future.done():
        raise Mismatch(f"a call had not come back after {PATIENCE:g} s; every wait is bounded")
    return future.result()
