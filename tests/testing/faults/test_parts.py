"""The parts of the fault kit, each alone: what goes wrong is what was asked for, and the same each time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given

from prebuilds import InvalidValueError, Preset, Transition
from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import BuildRequest, Isolation, Message, Store
from prebuilds.testing import (
    AnswerLostError,
    CrashedError,
    Delivery,
    Fault,
    FaultMode,
    FaultScenario,
    FaultyBuilder,
    FaultyPubSub,
    FaultyStore,
    InjectedTimeoutError,
    Injector,
    JumpingClock,
    ManualClock,
    Scheduler,
    Script,
    ScriptedBuilder,
    StaleStore,
    UnreliablePubSub,
    scenarios,
)

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
PRESET = Preset(id="p", desired_instances=1)
START = BuildRequest(build_id="b", workspace_id="w", transition=Transition.START, preset_id="p", template_version_id="")
MESSAGE = Message(topic="t", body="m")


def inject(mode: FaultMode, point: int = 0) -> Injector:
    return Injector("us", [Fault(process="us", point=point, mode=mode)])


def count_presets(store: Store) -> int:
    with store.transaction(read_only=True) as tx:
        return len(tx.list_presets())


MODES = [
    (FaultMode.BEFORE, CrashedError, 0),
    (FaultMode.AFTER, CrashedError, 1),
    (FaultMode.ANSWER_LOST, AnswerLostError, 1),
    (FaultMode.TIMEOUT, InjectedTimeoutError, 0),
    (FaultMode.PART, AnswerLostError, 0),
]


@pytest.mark.parametrize(("mode", "error", "written"), MODES)
def test_a_transaction_fails_as_its_mode_says(mode: FaultMode, error: type[BaseException], written: int) -> None:
    """Whether it was committed, and what the process gets; only a crash is the end of the process."""
    store, injector = MemoryStore(), inject(mode)
    faulty = FaultyStore(store, injector)
    with pytest.raises(error), faulty.transaction() as tx:
        tx.put_preset(PRESET)
    assert count_presets(store) == written
    assert injector.struck == [Fault(process="us", point=0, mode=mode)]
    if error is CrashedError:
        with pytest.raises(CrashedError):
            count_presets(faulty)
        injector.restart()
    assert count_presets(faulty) == written


def test_a_doubled_transaction_is_done_again_up_to_another_answer() -> None:
    """As by a caller who does not know that it was done: the second time nothing is added, and the rest is not done."""
    store = MemoryStore()
    with store.transaction() as tx:
        tx.put_preset(PRESET)
    with FaultyStore(store, inject(FaultMode.DUPLICATE)).transaction() as tx:
        assert tx.insert_prebuild(START, name="n", now=NOW)
        tx.publish_on_commit(MESSAGE)
    with store.transaction(read_only=True) as tx:
        assert (len(tx.list_prebuilds()), len(tx.list_messages(9))) == (1, 1)


@pytest.mark.parametrize(
    ("mode", "error", "sent"),
    [
        (FaultMode.BEFORE, CrashedError, 0),
        (FaultMode.AFTER, CrashedError, 1),
        (FaultMode.ANSWER_LOST, AnswerLostError, 1),
        (FaultMode.TIMEOUT, InjectedTimeoutError, 0),
        (FaultMode.DUPLICATE, None, 2),
        (FaultMode.PART, None, 1),
    ],
)
def test_a_publish_fails_as_its_mode_says(mode: FaultMode, error: type[BaseException] | None, sent: int) -> None:
    """And after a part of a batch nothing more goes through, until the process starts again."""
    got: list[Message] = []
    pubsub, injector = UnreliablePubSub(), inject(mode)
    pubsub.subscribe("t", got.append)
    faulty = FaultyPubSub(pubsub, injector)
    publish(faulty, error)
    assert got == [MESSAGE] * sent
    if mode is FaultMode.PART:
        publish(faulty, AnswerLostError)
        injector.restart()
        publish(faulty, None)


def publish(pubsub: FaultyPubSub, error: type[BaseException] | None) -> None:
    if error is None:
        pubsub.publish(MESSAGE)
    else:
        with pytest.raises(error):
            pubsub.publish(MESSAGE)


def test_a_lost_answer_of_the_builder_is_a_time_out() -> None:
    """As its port says: only that means that nobody knows."""
    taken: list[str] = []
    builder = ScriptedBuilder(
        MemoryStore(), ManualClock(NOW), on_submit=lambda request, _: taken.append(request.build_id)
    )
    with pytest.raises(TimeoutError):
        FaultyBuilder(builder, inject(FaultMode.ANSWER_LOST)).submit(START, "", timeout=HOUR)
    assert taken == ["b"]


def test_a_call_within_a_transaction_is_noted() -> None:
    """A publish there would want a second connection."""
    injector = Injector("us")
    pubsub = FaultyPubSub(UnreliablePubSub(), injector)
    with FaultyStore(MemoryStore(), injector).transaction(), pytest.raises(Exception, match="inside a transaction"):
        pubsub.publish(MESSAGE)  # noqa: PRB001 - it is refused
    assert [boundary.value for boundary in injector.crossed_inside] == ["publish"]


def make_builder(script: Script) -> tuple[Store, ScriptedBuilder]:
    store = MemoryStore()
    with store.transaction() as tx:
        tx.put_preset(PRESET)
        tx.insert_prebuild(START, name="n", now=NOW)
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
    """Until then `submit` does not return, whatever its time-out; later ones return at once."""
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
    """Its snapshots do; whatever compares and sets sees what is there now."""
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


def take_turns(seed: int) -> list[str]:
    turns: list[str] = []
    scheduler = Scheduler(seed)

    def act(name: str) -> None:
        for _ in range(10):
            turns.append(name)
            scheduler.pause(name)

    scheduler.run({name: lambda name=name: act(name) for name in "abc"})  # type: ignore[misc]
    return turns


def test_the_seed_decides_whose_turn_it_is() -> None:
    """The same seed gives the same turns, another others, and 0 each actor after the other."""
    assert take_turns(0) == [*"a" * 10, *"b" * 10, *"c" * 10]
    assert take_turns(7) == take_turns(7) != take_turns(8)
    assert sorted(take_turns(7)) == sorted(take_turns(0))


def test_one_actor_at_a_time_has_the_turn_to_write() -> None:
    """The others go on until they want to write too."""
    scheduler, writing, most = Scheduler(5), [0], [0]

    def act(name: str) -> None:
        for _ in range(20):
            scheduler.pause(name)
            with scheduler.write_turn(name):
                writing[0] += 1
                most[0] = max(most[0], writing[0])
                scheduler.pause(name)
                writing[0] -= 1

    scheduler.run({name: lambda name=name: act(name) for name in "abc"})  # type: ignore[misc]
    assert (most, writing) == ([1], [0])


def test_as_many_actors_have_connections_as_there_are() -> None:
    """The others go on until they want one too."""
    scheduler, having, most = Scheduler(5, connections=2), [0], [0]

    def act(name: str) -> None:
        for _ in range(20):
            scheduler.pause(name)
            with scheduler.connection_turn(name):
                having[0] += 1
                most[0] = max(most[0], having[0])
                scheduler.pause(name)
                having[0] -= 1

    scheduler.run({name: lambda name=name: act(name) for name in "abc"})  # type: ignore[misc]
    assert (most, having) == ([2], [0])


def test_an_actor_that_fails_stops_no_other_and_is_told() -> None:
    """The first error is raised when all have ended."""
    ended: list[str] = []

    def fail() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        Scheduler(1).run({"a": fail, "b": lambda: ended.append("b")})
    assert ended == ["b"]


@given(scenarios())
def test_a_scenario_is_its_text(scenario: FaultScenario) -> None:
    """Read back, it is the same."""
    assert FaultScenario.parse(str(scenario)) == scenario


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "FaultScenario.situations: .* must be one or more of steady, grow"),
        ("grow,grow", "none twice"),
        ("grow rounds=4", "FaultScenario.rounds: 4 is not allowed; it must be a whole number from 1 to 3"),
        ("grow rounds=many", "FaultScenario.rounds: 'many' is not allowed"),
        ("grow speed=1", "NAME=VALUE, the name one of reconcilers"),
        ("grow events=sleep", "any of pause, resume"),
        ("grow faults=r0:after", "PROCESS@POINT:MODE, the mode one of before, after"),
    ],
)
def test_a_text_that_is_no_scenario_is_refused(text: str, message: str) -> None:
    """With what is allowed."""
    with pytest.raises(InvalidValueError, match=message):
        FaultScenario.parse(text)
