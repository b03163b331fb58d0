"""Injection: a fault fails as its mode says, at its point, and nothing else fails."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from prebuilds import Preset, Transition
from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import BuildRequest, Message, Store
from prebuilds.testing import (
    AnswerLostError,
    CrashedError,
    Fault,
    FaultMode,
    FaultyBuilder,
    FaultyPubSub,
    FaultyStore,
    InjectedTimeoutError,
    Injector,
    ManualClock,
    ScriptedBuilder,
    UnreliablePubSub,
)
from prebuilds.testing.contracts.equipment.requests import insert_one

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


def test_a_repeated_transaction_stops_at_the_first_different_answer() -> None:
    """As by a caller who does not know that it was done: the second time nothing is added, and the rest is not done."""
    store = MemoryStore()
    with store.transaction() as tx:
        tx.put_preset(PRESET)
    with FaultyStore(store, inject(FaultMode.DUPLICATE)).transaction() as tx:
        assert insert_one(tx, START, name="n", now=NOW)
        tx.publish_on_commit(MESSAGE)
    with store.transaction(read_only=True) as tx:
        assert (len(tx.read_rows().prebuilds), len(tx.list_messages(9))) == (1, 1)


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
