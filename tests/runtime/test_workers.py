"""Threads for calls: one that is free does the next call, and one whose call hangs does no other."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any

import pytest

from prebuilds.runtime.loop.calls import workers as module
from prebuilds.runtime.loop.calls.workers import IDLE, Workers

LONG = 60.0


@pytest.fixture
def ended() -> SimpleQueue[threading.Thread]:
    return SimpleQueue()


def run(workers: Workers, ended: SimpleQueue[threading.Thread], name: str = "call") -> threading.Thread:
    """Run a call. Returns the thread that it ran in."""
    workers.run(name, lambda: ended.put(threading.current_thread()))
    return ended.get(timeout=LONG)


class WatchedTasks(SimpleQueue[Any]):
    """A queue of tasks that tells when a thread begins to wait for one."""

    def __init__(self) -> None:
        self.is_waiting = threading.Event()

    def get(self, *arguments: Any, **options: Any) -> Any:
        self.is_waiting.set()
        return super().get(*arguments, **options)

    def await_thread(self) -> None:
        assert self.is_waiting.wait(LONG)
        self.is_waiting.clear()


def test_a_free_thread_does_the_next_call(
    ended: SimpleQueue[threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that calls one after the other need one thread. It has the name of its call, and another while it waits."""
    monkeypatch.setattr(module, "_LINGER", LONG)
    workers, tasks, names = Workers(), WatchedTasks(), SimpleQueue[str]()
    workers._tasks = tasks
    first = run(workers, ended)
    tasks.await_thread()
    assert (first.name, first.daemon) == (IDLE, True)
    workers.run("second", lambda: names.put(threading.current_thread().name))
    assert names.get(timeout=LONG) == "second"
    tasks.await_thread()
    assert run(workers, ended) is first


def test_calls_beside_one_that_hangs_get_other_threads(ended: SimpleQueue[threading.Thread]) -> None:
    """Any number of them: a call never waits for another to return."""
    workers, leave, begun = Workers(), threading.Event(), SimpleQueue[threading.Thread]()

    def hang() -> None:
        begun.put(threading.current_thread())
        leave.wait(LONG)
        ended.put(threading.current_thread())

    for _ in range(5):
        workers.run("hangs", hang)
    hanging = {begun.get(timeout=LONG) for _ in range(5)}
    assert len(hanging) == 5
    assert run(workers, ended) not in hanging
    leave.set()
    assert {ended.get(timeout=LONG) for _ in range(5)} == hanging


def test_a_thread_without_a_call_ends(ended: SimpleQueue[threading.Thread]) -> None:
    """After a moment. The next call gets another, so nothing is lost."""
    workers = Workers()
    first = run(workers, ended)
    first.join(LONG)
    assert not first.is_alive()
    assert run(workers, ended) is not first


def test_every_call_is_done_however_the_moments_fall(
    ended: SimpleQueue[threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a thread stops waiting at the very moment at which it is given a call."""
    monkeypatch.setattr(module, "_LINGER", 0.0)
    workers = Workers()
    for _ in range(2_000):
        workers.run("call", lambda: ended.put(threading.current_thread()))
    for _ in range(2_000):
        ended.get(timeout=LONG)
    assert ended.empty()


def test_a_thread_that_cannot_start_is_the_callers_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It learns it at once, and may call again."""
    workers, done = Workers(), threading.Event()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            workers.run("call", done.set)
    workers.run("call", done.set)
    assert done.wait(LONG)
