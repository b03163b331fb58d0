"""The doubles of the fault kit, each alone: what goes wrong was asked for, and is the same each time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from prebuilds import Preset, Transition
from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import BuildRequest, Isolation, Message, Store
from prebuilds.testing import Delivery, JumpingClock, ManualClock, Script, ScriptedBuilder, StaleStore, UnreliablePubSub
from prebuilds.testing.contracts.equipment.requests import insert_one

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
PRESET = Preset(id="p", desired_instances=1)
START = BuildRequest(build_id="b", workspace_id="w", transition=Transition.START, preset_id="p", template_version_id="")


def count_presets(store: Store) -> int:
    with store.transaction(read_only=True) as tx:
        return len(tx.list_presets())


def make_builder(script: Script) -> tuple[Store, ScriptedBuilder]:
    store = MemoryStore()
    with store.transaction() as tx:
        tx.put_preset(PRESET)
        insert_one(tx, START, name="n", now=NOW)
    return store, ScriptedBuilder(store, ManualClock(NOW), script=lambda _: script)


def test_the_scripted_builder_does_each_build_once_and_step_by_step() -> None:
    """It begins, it ends, and what it made is there; taken twice, it is done once."""
    store, builder = make_builder(Script.SUCCEED)
    for _ in range(2):
        builder.submit(START, "v", timeout=HOUR)
    assert [builder.step(), dict(builder.resources), builder.step(), builder.resources] == [True, {}, True, {"w": "v"}]
    builder.submit(START, "v", timeout=HOUR)
    assert not builder.step()
    with store.transaction(read_only=True) as tx:
        workspace = tx.get_workspace("w")
    assert workspace
    assert workspace.ready


@pytest.mark.parametrize(
    ("script", "error"), [(Script.REFUSE, ConnectionRefusedError), (Script.TIME_OUT, TimeoutError), (Script.FAIL, None)]
)
def test_the_scripted_builder_fails_as_its_script_says(script: Script, error: type[Exception] | None) -> None:
    """It takes the build and fails, or does not take it."""
    _, builder = make_builder(script)
    if error:
        with pytest.raises(error):
            builder.submit(START, "v", timeout=HOUR)
    else:
        builder.submit(START, "v", timeout=HOUR)
    builder.work()
    assert (builder.resources, builder.failed) == ({}, [] if error else [START])


def test_a_build_that_hangs_is_taken_once_it_is_released() -> None:
    """Until then `submit` does not return, with any time-out; later ones return at once."""
    _, builder = make_builder(Script.HANG)
    thread = threading.Thread(target=builder.submit, args=(START, "v"), kwargs={"timeout": timedelta()}, daemon=True)
    thread.start()
    thread.join(0.02)
    assert (thread.is_alive(), builder.step()) == (True, False)
    builder.release()
    thread.join(60)
    builder.submit(START, "v", timeout=HOUR)
    builder.work()
    assert builder.resources == {"w": "v"}


def test_a_stale_store_shows_what_was_there_some_commits_ago() -> None:
    """Its snapshots do; other transactions see what is there now."""
    store = MemoryStore()
    stale = StaleStore(store, lag=1)
    for number in range(3):
        with store.transaction() as tx:
            tx.put_preset(Preset(id=f"p{number}", desired_instances=1))
        stale.note()
    assert (count_snapshot(stale), count_presets(stale)) == (2, 3)


def test_a_stale_store_never_shows_a_hidden_state() -> None:
    """But the one before, until the next commit."""
    store = MemoryStore()
    stale, seen = StaleStore(store, hides={2, 3}), []
    for number in range(4):
        with store.transaction() as tx:
            tx.put_preset(Preset(id=f"p{number}", desired_instances=1))
        stale.note()
        seen.append(count_snapshot(stale))
    assert seen == [1, 1, 1, 4]


def count_snapshot(store: Store) -> int:
    with store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
        return len(tx.list_presets())


@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        (Delivery.LOST, lambda got: set(got) < set(range(40)) and got == sorted(set(got))),
        (Delivery.DOUBLED, lambda got: set(got) == set(range(40)) and len(got) > 40),
        (Delivery.REORDERED, lambda got: sorted(got) == list(range(40)) != got),
    ],
)
def test_messages_are_lost_doubled_or_reordered(delivery: Delivery, expected: Callable[[list[int]], bool]) -> None:
    """As asked for, and the same by the same seed."""
    runs = [publish_forty(UnreliablePubSub(delivery, seed=3)) for _ in range(2)]
    assert runs[0] == runs[1]
    assert expected(runs[0])


def publish_forty(pubsub: UnreliablePubSub) -> list[int]:
    got: list[int] = []
    end = pubsub.subscribe("t", lambda message: got.append(int(message.body)))
    for number in range(40):
        pubsub.publish(Message(topic="t", body=str(number)))
    pubsub.flush()
    end()
    pubsub.publish(Message(topic="t", body="41"))
    pubsub.flush()
    return got


def test_a_clock_that_jumps_waits_evenly() -> None:
    """Its wall clock goes forward and back; what waits are measured by does not."""
    base = ManualClock(NOW)
    clock = JumpingClock(base, offset=HOUR)
    clock.jump(-3 * HOUR)
    assert (clock.now(), clock.monotonic()) == (NOW - 2 * HOUR, 0.0)
    assert not clock.wait(threading.Event(), HOUR)
    assert (clock.now(), clock.monotonic()) == (NOW - HOUR, 3600.0)
