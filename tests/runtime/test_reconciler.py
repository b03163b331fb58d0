"""The loop: when it works, what wakes it, and how it stops at any time."""

from __future__ import annotations

import logging
import sys
import threading
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import RFC_4122, UUID

import pytest

from prebuilds import BuildStatus, Schedule
from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.errors import AlreadyRunningError
from prebuilds.runtime import (
    PREBUILDS_CHANGED,
    SYSTEM_CLOCK,
    Message,
    PassStatus,
    Reconciler,
    ReconcilerOptions,
    ReconciliationResult,
)
from runtime.world import HOUR, MINUTE, NOW, SECOND, World, make_preset

LONG = timedelta(seconds=60)


class Loop:
    """A reconciler that is run in this thread and stopped after so many passes; `at` has when each of them began."""

    def __init__(self, world: World, passes: int, *, pubsub: MemoryPubSub | None = None) -> None:
        self.results: list[ReconciliationResult] = []
        self.reactions: dict[int, object] = {}
        self._passes = passes
        self.reconciler = Reconciler(
            world.store, world.builder, options=world.options, pubsub=pubsub, on_result=self._note
        )

    def _note(self, result: ReconciliationResult) -> None:
        self.results.append(result)
        react = self.reactions.get(len(self.results))
        if callable(react):
            react()
        if len(self.results) == self._passes:
            assert not self.reconciler.stop(), "it does not wait for itself"

    def run(self) -> list[datetime]:
        self.reconciler.run()
        return [result.started_at for result in self.results]


def test_it_begins_with_a_pass_at_once_and_goes_on_at_the_interval() -> None:
    """Nothing is waited for before the first."""
    assert Loop(World(), 3).run() == [NOW, NOW + 15 * SECOND, NOW + 30 * SECOND]


def test_it_wakes_when_a_decision_could_differ() -> None:
    """Here at a window's edge, to the instant, and at the interval from then on."""
    schedule = Schedule(cron="* 10 * * *", instances=3)
    preset = make_preset(desired_instances=0, timezone="UTC", schedules=[schedule])
    world = World(preset, interval=2 * HOUR)
    loop = Loop(world, 3)
    assert loop.run() == [NOW, NOW + HOUR / 2, NOW + 1.5 * HOUR]
    assert [len(result.done) for result in loop.results] == [0, 4, 0]


def test_it_wakes_at_a_message_for_the_preset_that_it_names() -> None:
    """At once, and looks at that preset alone; at one that names none it looks at all of them."""
    world = World(make_preset(), make_preset(id="q"))
    pubsub = MemoryPubSub(MemoryStore())
    loop = Loop(world, 3, pubsub=pubsub)
    loop.reactions = {
        1: lambda: pubsub.publish(Message(topic=PREBUILDS_CHANGED, body="q")),
        2: lambda: pubsub.publish(Message(topic=PREBUILDS_CHANGED)),
    }
    assert loop.run() == [NOW, NOW, NOW]
    plans = [result.plan for result in loop.results if result.plan]
    assert [[decision.preset_id for decision in made] for made in plans] == [["p", "q"], ["q"], ["p", "q"]]


def test_messages_in_its_store_are_sent_after_each_pass() -> None:
    """A build that ends while it works wakes it for the preset, through the outbox and the pubsub."""
    world = World()
    loop = Loop(world, 2, pubsub=MemoryPubSub())
    loop.reactions = {1: world.builder.finish}
    assert loop.run() == [NOW, NOW]
    with world.store.transaction(read_only=True) as tx:
        assert list(tx.list_messages(10)) == []


def test_a_message_about_a_preset_that_is_gone_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """It may have been deleted since."""
    caplog.set_level(logging.INFO, "prebuilds")
    world = World()
    pubsub = MemoryPubSub()
    loop = Loop(world, 2, pubsub=pubsub)
    loop.reactions = {1: lambda: pubsub.publish(Message(topic=PREBUILDS_CHANGED, body="ghost"))}
    loop.run()
    told = [(record.levelname, record.getMessage()) for record in caplog.records if "ghost" in record.getMessage()]
    assert told == [("INFO", "ghost: an event named it, but there is no such preset")]


@pytest.mark.parametrize("interval", [5 * SECOND, HOUR])
def test_an_error_in_a_pass_does_not_end_the_loop(interval: timedelta, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and everything is looked at again within 5 s, however long the interval is."""
    world = World(interval=interval)
    loop = Loop(world, 1)
    real = world.store.transaction
    failures = iter([OSError("the disk is full")] * 2)

    def transaction(**options: Any):  # noqa: ANN202
        if options.get("read_only"):
            for error in failures:
                raise error
        return real(**options)

    world.store.transaction = transaction  # type: ignore[method-assign]
    assert loop.run() == [NOW + 2 * min(interval, 5 * SECOND)]
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["all presets: the pass failed: OSError: the disk is full"] * 2


def test_an_effect_that_failed_is_tried_again_soon() -> None:
    """Its preset is looked at again within 5 s, however long the interval is."""
    world = World(interval=HOUR)
    loop = Loop(world, 3)
    world.builder.error = TimeoutError("no answer")

    def mend() -> None:
        world.builder.error = None

    loop.reactions = {1: mend}
    assert loop.run() == [NOW, NOW + 5 * SECOND, NOW + HOUR]


def test_a_hook_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What it raises is logged. The next pass comes when a decision could differ, not at the interval."""
    world = World(make_preset(ttl=100 * SECOND), interval=HOUR)
    world.fill()
    loop = Loop(world, 2)

    def fail() -> None:
        raise OSError("the hook fails")

    loop.reactions = {1: fail}
    first, second = loop.run()
    assert second - first == 40 * SECOND + timedelta.resolution
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["the hook on_result failed: OSError: the hook fails"]


def test_a_hook_that_fails_leaves_the_result_to_the_caller() -> None:
    """A pass that is done by hand returns what it did."""
    world = World()

    def fail(_: ReconciliationResult) -> None:
        raise OSError("the hook fails")

    reconciler = Reconciler(world.store, world.builder, options=world.options, on_result=fail)
    assert len(reconciler.reconcile_all().done) == 3
    assert reconciler.reconcile_preset("p").presets == ()


def test_a_wall_clock_that_goes_back_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is slept for is measured by a clock that never does."""
    world = World()
    loop = Loop(world, 3)
    loop.reactions = {1: lambda: monkeypatch.setattr(world.clock, "_began", NOW - 1000 * HOUR)}
    loop.run()
    assert world.clock.monotonic() == 30


def test_what_was_stopped_before_does_nothing() -> None:
    """`run` returns at once, and `stop` does not wait for what never began."""
    world = World()
    loop = Loop(world, 1)
    assert loop.reconciler.stop()
    assert loop.run() == []


def test_stop_ends_a_pass_between_two_effects_and_frees_the_lease() -> None:
    """It finishes the effect under way. The rest is left for the next reconciler, which can begin at once."""
    world = World(make_preset(desired_instances=5))
    loop = Loop(world, 99)
    world.builder.on_submit = lambda _: loop.reconciler.stop(timeout=timedelta())
    loop.run()
    (result,) = loop.results
    assert [outcome.status.value for outcome in result.presets[0].outcomes] == ["done", "done", *["skipped"] * 4]
    assert result.skipped[0].reason == "the reconciler stops"
    second = Reconciler(world.store, world.builder, options=world.options)
    assert second.reconcile_all().status is PassStatus.RECONCILED


def test_stop_comes_before_the_next_event() -> None:
    """Presets that something happened to are looked at together. What happens after it was stopped is left alone."""
    names = [f"p{number}" for number in range(20)]
    world = World(*(make_preset(id=name, desired_instances=0) for name in names))
    pubsub = MemoryPubSub(MemoryStore())
    loop = Loop(world, 2, pubsub=pubsub)
    loop.reactions = {
        n: lambda: [pubsub.publish(Message(topic=PREBUILDS_CHANGED, body=name)) for name in names] for n in (1, 2)
    }
    loop.run()
    plans = [result.plan for result in loop.results if result.plan]
    assert [len(made.decisions) for made in plans] == [20, 20]


class Tripwire:
    """Stops a reconciler before the n-th line that its loop runs, in the thread that runs it, as a handler would.

    It is the reconciler's clock too. A sleep that nothing ends is short, and the last; it is noted if it should have
    been ended.
    """

    def __init__(self, line: int) -> None:
        self._left = line
        self.has_overslept = False
        options = ReconcilerOptions(interval=timedelta(days=1), lease_duration=timedelta(days=1), clock=self)
        self.reconciler = Reconciler(MemoryStore(), World().builder, options=options)

    now = staticmethod(SYSTEM_CLOCK.now)
    monotonic = staticmethod(SYSTEM_CLOCK.monotonic)

    @property
    def has_tripped(self) -> bool:
        return self._left <= 0

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        assert timeout > MINUTE
        if not event.wait(0.01) and not event.is_set():
            self.has_overslept = self.has_tripped
            sys.settrace(None)
            self.reconciler.request_stop()
        return True

    def run(self) -> None:
        sys.settrace(self._trace)
        try:
            self.reconciler.run()
        finally:
            sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if Path(frame.f_code.co_filename).name not in ("reconciler.py", "agenda.py", "wakeups.py", "threading.py"):
            return None
        self._left -= event == "line"
        if event == "line" and self.has_tripped:
            sys.settrace(None)
            self.reconciler.request_stop()
        return self._trace


def test_a_handler_can_stop_it_at_any_moment() -> None:
    """Between any two lines of the loop, those that hold a lock included: it waits for nothing, and no sleep begins."""
    for line in count(1):
        trip = Tripwire(line)
        thread = threading.Thread(target=trip.run, daemon=True)
        thread.start()
        thread.join(LONG.total_seconds())
        stopped = (thread.is_alive(), trip.has_overslept)
        assert stopped == (False, False), f"stopped before line {line} of the loop, it goes on"
        if not trip.has_tripped:
            break
    assert line > 30


def test_stop_from_another_thread_waits_until_it_has_ended() -> None:
    """With the clock of the machine: the loop sleeps for a day, and ends at once."""
    world = World(clock=SYSTEM_CLOCK, interval=timedelta(days=1))
    passed = threading.Event()
    reconciler = Reconciler(world.store, world.builder, options=world.options, on_result=lambda _: passed.set())
    thread = threading.Thread(target=reconciler.run)
    thread.start()
    assert passed.wait(LONG.total_seconds())
    with pytest.raises(AlreadyRunningError):
        reconciler.run()
    assert reconciler.stop(timeout=LONG)
    thread.join(LONG.total_seconds())
    assert not thread.is_alive()


def test_stop_says_if_the_loop_has_not_ended_in_time() -> None:
    """A call to the builder is under way; it is waited for no longer than asked."""
    world = World()
    entered, leave = threading.Event(), threading.Event()

    def block(_: object) -> None:
        entered.set()
        leave.wait(LONG.total_seconds())

    world.builder.on_submit = block
    thread = threading.Thread(target=world.reconciler.run)
    thread.start()
    assert entered.wait(LONG.total_seconds())
    assert not world.reconciler.stop(timeout=timedelta(milliseconds=1))
    leave.set()
    assert world.reconciler.stop(timeout=LONG)
    thread.join(LONG.total_seconds())


def test_a_builder_that_hangs_is_given_up_on() -> None:
    """After `submit_timeout`; the build is submitted again later, and the loop goes on."""
    world = World(make_preset(desired_instances=1), submit_timeout=timedelta(milliseconds=20))
    leave = threading.Event()
    world.builder.on_submit = lambda _: leave.wait(LONG.total_seconds()) and None
    result = world.reconcile()
    assert [outcome.reason for outcome in result.failed] == [
        "CallTimedOutError: the builder's submit did not return within 0.02 s"
    ]
    assert [workspace.last_build.status for workspace in world.list_prebuilds()] == [BuildStatus.PENDING]
    leave.set()


def test_a_pool_is_kept_full_over_a_day() -> None:
    """A claim a minute or so: each is served, and the pool refills."""
    world = World(make_preset(desired_instances=3, ttl=2 * HOUR))
    for minute in range(24 * 60):
        world.reconcile()
        world.builder.finish()
        if minute % 7 == 3:
            assert world.claim(name=f"dev-{minute}").workspace is not None
        world.clock.advance(MINUTE)
    world.reconcile()
    world.builder.finish()
    assert [workspace.ready for workspace in world.list_prebuilds()] == [True] * 3


def test_a_new_id_is_a_random_uuid() -> None:
    """Written as the standard library writes it, and never the same."""
    ids = [ReconcilerOptions().new_id() for _ in range(100)]
    assert [(str(UUID(new_id)), UUID(new_id).version, UUID(new_id).variant) for new_id in ids] == [
        (new_id, 4, RFC_4122) for new_id in ids
    ]
    assert len(set(ids)) == 100
    assert {new_id[19] for new_id in ids} == set("89ab")
