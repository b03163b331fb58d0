"""The work on presets: a pass waits for it while something ends, and leaves what hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from queue import SimpleQueue

import pytest

from prebuilds.runtime.loop.calls.preset_work import PresetWork
from prebuilds.runtime.loop.results import PresetResult

LONG = 60.0
SHORT = timedelta(milliseconds=50)


class Work:
    """Work with two threads. Tasks that hang go on until `leave`; `told` are the presets that `on_end` was told."""

    def __init__(self, threads: int = 2) -> None:
        self.told = SimpleQueue[str]()
        self.work = PresetWork(threads, self.told.put)
        self.leave = threading.Event()

    def hang(self, preset_id: str) -> Callable[[], PresetResult]:
        def task() -> PresetResult:
            self.leave.wait(LONG)
            return PresetResult(preset_id=preset_id)

        return task


def end(preset_id: str) -> Callable[[], PresetResult]:
    return lambda: PresetResult(preset_id=preset_id)


def list_ids(results: object) -> list[str]:
    return [result.preset_id for result in results]  # type: ignore[attr-defined]


@pytest.mark.parametrize("patience", [None, timedelta(seconds=LONG)])
@pytest.mark.parametrize("names", ["", "a", "cab"])
def test_results_come_in_the_order_of_the_tasks(names: str, patience: timedelta | None) -> None:
    """However many there are, and nothing is left."""
    work = PresetWork(2, pytest.fail)
    assert list_ids(work.do({name: end(name) for name in names}, patience)) == list(names)
    assert (work.under_way, work.note_ended(), work.take_ended()) == (frozenset(), (), ())


def test_what_hangs_is_left_and_its_result_comes_later() -> None:
    """Its preset is under way until its end is noted. It is told when it has ended, and its result is taken once."""
    hanging = Work()
    assert list_ids(hanging.work.do({"a": hanging.hang("a"), "b": end("b")}, SHORT)) == ["b"]
    assert (hanging.work.under_way, hanging.work.note_ended()) == ({"a"}, ())
    assert hanging.told.empty()
    hanging.leave.set()
    assert hanging.told.get(timeout=LONG) == "a"
    assert (hanging.work.under_way, hanging.work.take_ended()) == ({"a"}, ())
    for _ in range(2):
        assert list_ids(hanging.work.note_ended()) == ["a"]
    assert list_ids(hanging.work.take_ended()) == ["a"]
    assert (hanging.work.under_way, hanging.work.note_ended(), hanging.work.take_ended()) == (frozenset(), (), ())


def test_the_end_of_some_presets_alone_can_be_noted() -> None:
    """The others are under way until somebody asks for them."""
    hanging = Work()
    hanging.work.do({"a": hanging.hang("a"), "b": hanging.hang("b")}, SHORT)
    hanging.leave.set()
    assert {hanging.told.get(timeout=LONG), hanging.told.get(timeout=LONG)} == {"a", "b"}
    assert list_ids(hanging.work.note_ended(["b", "ghost"])) == ["b"]
    assert hanging.work.under_way == {"a"}
    assert list_ids(hanging.work.note_ended()) == ["b", "a"]


def test_what_had_not_begun_is_told_at_once() -> None:
    """It is not done at all, as nobody waits for it: a later pass looks at it anew."""
    hanging = Work(threads=1)
    assert hanging.work.do({"a": hanging.hang("a"), "b": lambda: pytest.fail("it began")}, SHORT) == []
    assert hanging.told.get(timeout=LONG) == "b"
    assert hanging.work.under_way == {"a"}
    hanging.leave.set()
    hanging.work.finish()
    assert list_ids(hanging.work.note_ended()) == ["a"]


def test_without_patience_all_is_waited_for() -> None:
    """The second task ends the wait of the first."""
    hanging = Work()

    def release() -> PresetResult:
        hanging.leave.set()
        return PresetResult(preset_id="b")

    assert list_ids(hanging.work.do({"a": hanging.hang("a"), "b": release}, None)) == ["a", "b"]
    assert hanging.told.empty()
