"""Other threads, for rules that show only between two of them.

- Every wait ends: a thread that does not answer in time is an error.
- A check cannot see that one transaction waits for another, only that it has not finished yet. So a store that breaks
  a rule may be lucky, but one that keeps it is never blamed.
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
from prebuilds.testing.contracts.equipment.error_words import Mismatch

_T = TypeVar("_T")
PATIENCE = 60.0
"""The seconds after which a thread is given up."""
_GRACE = 0.05  # seconds; most calls that need not wait finish sooner


class Worker:
    """A thread that runs one function after another. It ends with the process at the latest."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def begin(self, function: Callable[[], _T]) -> Future[_T]:
        """Run a function in it."""
        future: Future[_T] = Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._calls.put(run)
        return future

    def call(self, function: Callable[[], _T]) -> _T:
        """Run a function in it, and return its result."""
        return get_answer(self.begin(function))

    def stop(self) -> None:
        """Let it end after its last function."""
        self._calls.put(None)

    def _work(self) -> None:
        while call := self._calls.get():
            call()


class HeldTransaction:
    """A transaction that is open in a thread of its own."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Transaction]]) -> None:
        self._worker = Worker()
        self._manager = self._worker.call(begin)
        self._tx = self._worker.call(self._manager.__enter__)
        self._is_open = True

    def call(self, function: Callable[[Transaction], _T]) -> _T:
        """Call a function with it."""
        return self._worker.call(lambda: function(self._tx))

    def end(self, error: BaseException | None = None) -> None:
        """End its block, with this error if there is one. Does nothing if it has ended."""
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
    """A transaction that is open in another thread. It is committed at the end of the block, unless it ended before."""
    held = HeldTransaction(lambda: store.transaction(isolation=isolation, read_only=read_only, lease=lease))
    try:
        yield held
    except BaseException as error:
        held.end(error)
        raise
    held.end()


@contextmanager
def begin_elsewhere(function: Callable[[], _T]) -> Iterator[Future[_T]]:
    """Run a function in another thread, again while it times out. Wait a little, but not for its end."""
    worker = Worker()
    future = worker.begin(lambda: insist(function))
    wait([future], timeout=_GRACE)
    try:
        yield future
    finally:
        worker.stop()


def race(functions: Sequence[Callable[[], _T]]) -> Sequence[_T]:
    """Run all functions at once, each in its own thread and again while it times out. Returns their results."""
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
    """Call a function again while it times out, which means that nothing was written."""
    patient_until = time.monotonic() + PATIENCE
    while True:
        try:
            return function()
        except TimeoutError:
            if time.monotonic() > patient_until:
                raise


def get_answer(future: Future[_T]) -> _T:
    """The result of a thread. Raises what it raised, or `Mismatch` if it did not end in time."""
    wait([future], timeout=PATIENCE)
    if not future.done():
        raise Mismatch(f"a call had not come back after {PATIENCE:g} s; every wait is bounded")
    return future.result()
