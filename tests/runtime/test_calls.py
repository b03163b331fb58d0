"""Calls to the host: limited in time and number, one at a time for each build, and put off after time-outs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from prebuilds.errors import CallTimedOutError
from prebuilds.runtime.loop.calls.timed_calls import SOON, LimitedCalls, PutOffError
from prebuilds.runtime.loop.calls.timeout_backoff import Delays, calculate_delay
from prebuilds.testing.clocks import ManualClock
from runtime.world import MINUTE, NOW, SECOND

LONG = 60.0


class Line:
    """Calls over one line, on which those of `hang` hang until `release`. `made` has the keys of all calls."""

    def __init__(self, *, most: int = 8, timeout: timedelta = SECOND / 10) -> None:
        self.clock = ManualClock(NOW)
        self.told: list[str] = []
        self.calls = LimitedCalls(most=most, timeout=timeout, clock=self.clock, on_late_end=self.told.append)
        self.made: list[str] = []
        self._leave = threading.Event()

    def call(self, key: str, *, group: str = "web", error: BaseException | None = None) -> None:
        def function() -> None:
            self.made.append(key)
            if error:
                raise error

        self.calls.end(self.calls.begin("submit", function, key=key, group=group))

    def hang(self, key: str, *, group: str = "web", error: BaseException | None = None) -> None:
        """A call that does not return in time; once released it ends, or raises the error."""

        def function() -> None:
            self.made.append(key)
            self._leave.wait(LONG)
            if error:
                raise error

        with pytest.raises(CallTimedOutError, match=r"submit did not return within 0\.1 s"):
            self.calls.end(self.calls.begin("submit", function, key=key, group=group))

    def release(self) -> None:
        """Let all that hang end, and wait for it."""
        self._leave.set()
        for thread in threading.enumerate():
            if thread.name == "prebuilds: submit":
                thread.join(LONG)
        self._leave.clear()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.release()


def test_a_call_raises_what_the_function_raises(line: Line) -> None:
    """However often; its place is free again."""
    for _ in range(20):
        with pytest.raises(OSError, match="no route"):
            line.call("b", error=OSError("no route"))
    line.call("b")
    assert line.made == ["b"] * 21


def test_a_build_is_not_called_for_again_while_a_call_hangs(line: Line) -> None:
    """However much time passes. Other builds are."""
    line.hang("b")
    line.clock.advance(1000 * MINUTE)
    for _ in range(3):
        with pytest.raises(PutOffError, match="an earlier call of submit for this build has not returned"):
            line.call("b")
    line.call("c")
    assert line.made == ["b", "c"]


@pytest.mark.parametrize("error", [None, OSError("no route")])
def test_a_late_answer_is_that_of_the_next_call(line: Line, error: Exception | None) -> None:
    """The host is not asked again. Once the answer was given, it is forgotten."""
    line.hang("b", error=error)
    line.release()
    if error:
        with pytest.raises(OSError, match="no route"):
            line.call("b")
    else:
        line.call("b")
    assert line.made == ["b"]
    line.call("b")
    assert line.made == ["b", "b"]


def test_a_late_time_out_is_not_an_answer(line: Line) -> None:
    """Nobody knows what became of the build, so the host is asked again."""
    line.hang("b", error=TimeoutError("no answer"))
    line.release()
    line.call("b")
    assert line.made == ["b", "b"]


@pytest.mark.parametrize(("most", "share"), [(1, 1), (4, 1), (8, 2), (16, 4)])
def test_a_group_takes_its_share_of_the_slots(most: int, share: int) -> None:
    """What hangs for one leaves places to the others. They are free again once the calls end."""
    line = Line(most=most)
    for number in range(share):
        line.calls.require_place("web")
        line.hang(f"b{number}")
    for ask in (lambda: line.call("more"), lambda: line.calls.require_place("web")):
        with pytest.raises(PutOffError, match=f"{share} of its calls to the builder have not returned"):
            ask()
    if most > share:
        line.call("c", group="api")
    line.release()
    line.calls.require_place("web")
    line.call("more")


def test_there_are_no_more_threads_than_slots() -> None:
    """A call is put off at once, and never waits for a place: so none lasts longer than its time-out."""
    line = Line(most=4)
    for number in range(4):
        line.hang(f"b{number}", group=f"p{number}")
    with pytest.raises(PutOffError, match="4 calls to the builder have not returned"):
        line.call("b", group="other")
    assert sum(thread.name == "prebuilds: submit" for thread in threading.enumerate()) == 4
    line.release()
    line.call("b", group="other")


def test_what_is_exhausted_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """For as long as it stays so: for a group, and for all."""
    line = Line(most=4)

    def exhaust() -> None:
        for number in range(4):
            line.hang(f"b{number}", group=f"p{number}")
        for _ in range(3):
            for group in ("p0", "p1", "other", "another"):
                with pytest.raises(PutOffError):
                    line.calls.require_place(group)

    exhaust()
    once = [
        "p0: 1 of its calls to the builder have not returned; no more are made until one does",
        "p1: 1 of its calls to the builder have not returned; no more are made until one does",
        "all presets: 4 calls to the builder have not returned; no more are made until one does",
    ]
    assert [record.getMessage() for record in caplog.records] == once
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    line.release()
    for number in range(4):
        line.call(f"b{number}", group=f"p{number}")
    exhaust()
    assert [record.getMessage() for record in caplog.records] == once * 2
    line.release()


def test_a_slot_is_given_back_when_no_thread_can_start(monkeypatch: pytest.MonkeyPatch, line: Line) -> None:
    """The system may have no more threads for a while. The call is put off, and the build has not failed."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(20):
            with pytest.raises(PutOffError, match="no thread could be started for submit: can't start new thread"):
                line.call("b")
    line.call("b")
    assert line.made == ["b"]


def test_each_time_out_delays_a_build_longer(line: Line) -> None:
    """At once after the first; then after 15 s, and twice as long each further time. An answer begins anew."""
    for delay in (0, 0, 15, 30, 60):
        if delay:
            line.clock.advance(delay * SECOND - timedelta.resolution)
            with pytest.raises(PutOffError, match="submit has timed out for this build, and waits to be called again"):
                line.call("b")
            assert line.calls.find_waits() == {"web": timedelta.resolution}
            line.clock.advance(timedelta.resolution)
        assert line.calls.find_waits() == {}
        with pytest.raises(TimeoutError, match="no answer"):
            line.call("b", error=TimeoutError("no answer"))
        line.call("other")
    line.clock.advance(120 * SECOND)
    line.call("b")
    for _ in range(2):
        with pytest.raises(TimeoutError):
            line.call("b", error=TimeoutError("no answer"))


def test_delays_have_a_cap() -> None:
    """They are 10 minutes at most, however often it was tried."""
    delays = [calculate_delay(times).total_seconds() for times in range(1, 11)]
    assert delays == [0, 15, 30, 60, 120, 240, 480, 600, 600, 600]
    assert calculate_delay(10**9) == 10 * MINUTE


def test_a_call_that_hangs_is_looked_at_again_soon_and_then_less_and_less_often(line: Line) -> None:
    """After 15 s, and then after as long as it hangs already, up to 5 min. A group waits for its own calls alone."""
    line.hang("b")
    waits: list[timedelta] = []
    for _ in range(6):
        waits.append(line.calls.find_waits()["web"])
        line.clock.advance(waits[-1])
    assert waits == [SOON, SOON, 30 * SECOND, MINUTE, 2 * MINUTE, 4 * MINUTE]
    line.hang("c", group="api")
    assert line.calls.find_waits() == {"web": 5 * MINUTE, "api": SOON}
    line.release()
    assert line.calls.find_waits() == {}


def test_the_late_end_of_a_call_is_told(line: Line) -> None:
    """Of each that was given up, even if it fails. Nobody needs to be told of those that came in time."""
    line.call("a")
    line.hang("b")
    line.hang("c", group="api", error=OSError("no route"))
    assert line.told == []
    line.release()
    assert sorted(line.told) == ["api", "web"]


def test_a_group_is_looked_at_when_the_first_of_its_delays_ends(line: Line) -> None:
    """And not when that of another group does."""
    delays = Delays(line.clock)
    for key, group, times in (("a", "web", 3), ("b", "web", 2), ("c", "api", 4), ("d", "cli", 1)):
        for _ in range(times):
            delays.add(key, group)
    assert delays.find_waits() == {"web": 15 * SECOND, "api": MINUTE}
    line.clock.advance(15 * SECOND)
    assert delays.find_waits() == {"web": 15 * SECOND, "api": 45 * SECOND}


def test_what_nobody_asks_for_is_forgotten(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the answers for builds that were canceled meanwhile, and their delays: memory stays bounded."""
    monkeypatch.setattr("prebuilds.runtime.loop.calls.timed_calls._MOST_KEPT", 3)
    monkeypatch.setattr("prebuilds.runtime.loop.calls.timeout_backoff._MOST_KEPT", 3)
    for number in range(6):
        line.hang(f"b{number}")
        line.release()
    line.call("c")
    assert list(line.calls._calls) == ["b3", "b4", "b5"]
    delays = Delays(line.clock)
    for number in range(6):
        delays.add(f"b{number}", "web")
    assert list(delays._delays) == ["b3", "b4", "b5"]


def test_one_build_is_called_for_once_however_many_ask(line: Line) -> None:
    """At the same time, from several threads."""
    together = threading.Barrier(8)
    put_off: list[PutOffError] = []
    leave = threading.Event()

    def function() -> None:
        line.made.append("b")
        leave.wait(LONG)

    def ask() -> None:
        together.wait(LONG)
        try:
            line.calls.end(line.calls.begin("submit", function, key="b", group="web"))
        except PutOffError as error:
            put_off.append(error)
        except CallTimedOutError:
            pass

    threads = [threading.Thread(target=ask) for _ in range(8)]
    _run(threads)
    assert (line.made, len(put_off)) == (["b"], 7)
    leave.set()


def _run(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
