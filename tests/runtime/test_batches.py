"""Batches: up to 100 effects of one kind for one preset share transactions, and their calls run side by side."""

from __future__ import annotations

import threading
from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest

from prebuilds import BuildStatus, Transition
from prebuilds.adapters.memory import MemoryStore
from prebuilds.errors import NoRoomError
from prebuilds.runtime import (
    AddMembership,
    BuildRequest,
    CancelPending,
    Counter,
    CreatePrebuild,
    DeletePrebuild,
    Effect,
    OutcomeStatus,
    ReconciliationResult,
    SubmitBuild,
)
from prebuilds.runtime.loop.calls.batches import list_batches
from prebuilds.testing.contracts.equipment.requests import insert_one
from runtime.world import HOUR, NOW, World, make_preset

FAILED_BEFORE = "an earlier create of the preset failed"


class CountingStore(MemoryStore):
    """Notes the writes of each transaction that wrote, and can break those with a write of this name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.writes: list[list[str]] = []
        self.breaks = ""

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Any]:
        calls: list[str] = []
        with super().transaction(**options) as tx:
            yield _Counting(tx, calls, self.breaks)
        if calls and "take_lease" not in calls:
            self.writes.append(calls)


class _Counting:
    def __init__(self, tx: Any, calls: list[str], breaks: str) -> None:
        self._tx, self._calls, self._breaks = tx, calls, breaks

    def __getattr__(self, name: str) -> Any:
        if name == self._breaks:
            raise TimeoutError("the store is busy")
        if not name.startswith(("list_", "is_", "get_", "read_", "find_")):
            self._calls.append(name)
        return getattr(self._tx, name)


def make_world(desired: int, **options: Any) -> tuple[World, CountingStore]:
    store = CountingStore(**options)
    world = World(make_preset(desired_instances=desired), store=store)
    with store.transaction() as tx:
        tx.add_membership("o")
    store.writes.clear()
    return world, store


def tally(result: ReconciliationResult) -> Tally[tuple[OutcomeStatus, str]]:
    return Tally((outcome.status, outcome.reason) for preset in result for outcome in preset.outcomes)


def make_request(number: int, transition: Transition) -> BuildRequest:
    is_start = transition is Transition.START
    return BuildRequest(
        build_id=f"b{number}",
        workspace_id=f"w{number}",
        transition=transition,
        preset_id="p" if is_start else None,
        template_version_id="v1" if is_start else None,
    )


def test_effects_of_one_kind_that_follow_each_other_are_a_batch_of_at_most_100() -> None:
    """Builds that are handed over again are parted into starts and deletes. All other effects are alone."""
    start, delete = make_request(1, Transition.START), make_request(1, Transition.DELETE)
    create = CreatePrebuild(preset_id="p", name="n", begun_at=NOW, request=start)
    effects: list[Effect] = [
        *[SubmitBuild(preset_id="p", request=start, template_version_id="v1")] * 2,
        SubmitBuild(preset_id="p", request=delete, template_version_id="v1"),
        *[CancelPending(preset_id="p")] * 2,
        *[DeletePrebuild(preset_id="p", request=delete)] * 3,
        AddMembership(preset_id="p", organization_id="o"),
        *[create] * 250,
    ]
    batches = list(list_batches(effects))
    assert [len(batch) for batch in batches] == [2, 1, 1, 1, 3, 1, 100, 100, 50]
    assert [effect for batch in batches for effect in batch] == effects


def test_a_batch_of_creates_is_two_transactions() -> None:
    """One adds the rows, before the builder is asked. The other notes what it took, and counts."""
    world, store = make_world(100)
    assert tally(world.reconcile()) == {(OutcomeStatus.DONE, ""): 100}
    assert store.writes == [["insert_prebuilds"], ["mark_submitted", "count"]]
    assert len(world.builder.taken) == 100
    assert all(row.last_build.submitted for row in world.list_prebuilds())
    assert world.list_counters() == {("p", Counter.CREATED): 100}


def test_a_batch_of_deletes_is_two_transactions() -> None:
    """The first also tells the version that each delete runs with."""
    world, store = make_world(100)
    world.fill()
    world.put(make_preset(desired_instances=0))
    store.writes.clear()
    assert tally(world.reconcile()) == {(OutcomeStatus.DONE, ""): 100}
    assert store.writes == [["insert_deletes"], ["mark_submitted"]]
    assert {version for _, version in world.builder.list_taken(Transition.DELETE)} == {"v1"}


def test_more_creates_than_a_batch_holds_are_several_batches() -> None:
    """All of them in one pass."""
    world, store = make_world(250)
    assert tally(world.reconcile()) == {(OutcomeStatus.DONE, ""): 250}
    assert [writes[0] for writes in store.writes] == ["insert_prebuilds", "mark_submitted"] * 3


@pytest.mark.parametrize(("connections", "width"), [(1, 1), (8, 4)])
def test_calls_of_a_batch_run_side_by_side_once_the_first_was_taken(connections: int, width: int) -> None:
    """The groups grow: 1, 2, 4, up to half of the connections, as each call may need one of its own."""
    world, _ = make_world(20, max_connections=connections)
    groups = [1, 2, *[4] * 5] if width == 4 else [1] * 20
    groups[-1] = 20 - sum(groups[:-1])
    together = {number: threading.Barrier(size) for number, size in enumerate(groups)}
    order = [number for number, size in enumerate(groups) for _ in range(size)]
    lock, asked = threading.Lock(), 0

    def enter(_: BuildRequest) -> None:
        nonlocal asked
        with lock:
            number, asked = order[asked], asked + 1
        together[number].wait(timeout=30)  # only the whole group gets through

    world.builder.on_submit = enter
    assert tally(world.reconcile()) == {(OutcomeStatus.DONE, ""): 20}


def test_a_template_that_cannot_be_built_fails_once_in_a_pass() -> None:
    """The builder is asked for the first alone. The others are withdrawn, as if they had not been added."""
    world, _ = make_world(100)
    asked: list[BuildRequest] = []
    world.builder.on_submit = asked.append
    world.builder.error = RuntimeError("no such image")
    assert tally(world.reconcile()) == {
        (OutcomeStatus.FAILED, "RuntimeError: no such image"): 1,
        (OutcomeStatus.SKIPPED, FAILED_BEFORE): 99,
    }
    assert len(asked) == 1
    assert [row.id for row in world.list_prebuilds()] == [asked[0].workspace_id]
    assert [build.status for build in world.list_builds()] == [BuildStatus.FAILED]
    assert world.list_counters() == {("p", Counter.CREATED): 1, ("p", Counter.FAILED): 1}


def test_a_builder_that_fills_up_refuses_at_most_a_group() -> None:
    """Field case 21: what it has room for is made, a few are held, and the others are not asked for."""
    world, _ = make_world(100, max_connections=8)
    room, lock = iter(range(10)), threading.Lock()

    def enter(_: BuildRequest) -> None:
        with lock:
            if next(room, None) is None:
                raise NoRoomError("the quota is 10")

    world.builder.on_submit = enter
    told = tally(world.reconcile())
    full = str(NoRoomError("the quota is 10"))
    held = told[OutcomeStatus.HELD, full]
    assert 1 <= held <= 4
    assert told == {
        (OutcomeStatus.DONE, ""): 10,
        (OutcomeStatus.HELD, full): held,
        (OutcomeStatus.SKIPPED, "the builder has no room for the preset"): 90 - held,
    }
    assert Tally(row.last_build.status for row in world.list_prebuilds()) == {
        BuildStatus.PENDING: 10,
        BuildStatus.CANCELED: held,
    }
    assert world.list_counters() == {("p", Counter.CREATED): 10 + held}


def test_a_batch_stops_with_the_reconciler() -> None:
    """What the builder is being asked for is noted; the rest is withdrawn."""
    world, _ = make_world(100, max_connections=8)
    world.builder.on_submit = lambda _: stop(world)
    assert tally(world.reconcile()) == {
        (OutcomeStatus.DONE, ""): 1,
        (OutcomeStatus.SKIPPED, "the reconciler stops"): 99,
    }
    assert [row.last_build.submitted for row in world.list_prebuilds()] == [True]


def test_a_stop_leaves_the_next_batch_unwritten() -> None:
    """The delete under way is finished. Nothing is written for the creates, which are left for the next reconciler."""
    world, store = make_world(2)
    world.put(make_preset(desired_instances=2, ttl=HOUR))
    world.fill()
    world.clock.advance(2 * HOUR)
    world.builder.on_submit = lambda _: stop(world)
    store.writes.clear()
    assert tally(world.reconcile()) == {(OutcomeStatus.DONE, ""): 1, (OutcomeStatus.SKIPPED, "the reconciler stops"): 3}
    assert store.writes == [["insert_deletes"], ["mark_submitted"]]


def stop(world: World) -> None:
    world.reconciler._passes.is_stopping = True


def test_what_was_taken_and_not_noted_is_handed_over_again() -> None:
    """The store fails after the calls. The next pass asks again. The builder does each once; each is counted once."""
    world, store = make_world(10)
    store.breaks = "mark_submitted"
    assert tally(world.reconcile()) == {(OutcomeStatus.FAILED, "TimeoutError: the store is busy"): 10}
    assert world.list_counters() == {}
    store.breaks = ""
    result = world.reconcile()
    assert tally(result) == {(OutcomeStatus.DONE, ""): 10}
    assert {type(outcome.effect) for outcome in result.done} == {SubmitBuild}
    assert len(world.builder.taken) == len(world.list_prebuilds()) == 10
    assert world.list_counters() == {("p", Counter.CREATED): 10}


def test_a_start_whose_id_exists_is_left_out_of_its_batch() -> None:
    """The others are made."""
    world, _ = make_world(3)
    with world.store.transaction() as tx:
        tx.put_preset(make_preset(id="q", desired_instances=1))
        request = attrs.evolve(make_request(1, Transition.START), preset_id="q", workspace_id="0004")
        assert insert_one(tx, request, name="n", now=NOW)
        tx.mark_submitted(["b1"])
    result = world.reconciler.reconcile_preset("p")
    assert tally(result) == {
        (OutcomeStatus.DONE, ""): 2,
        (OutcomeStatus.SKIPPED, "a workspace or a build with its id exists"): 1,
    }


def test_starts_handed_over_again_wait_once_one_is_refused() -> None:
    """They are not withdrawn, as the builder may have taken them before. Each pass asks for some of them."""
    world, store = make_world(10)
    store.breaks = "mark_submitted"
    world.reconcile()
    store.breaks, world.builder.error = "", RuntimeError("no such image")
    assert tally(world.reconcile())[OutcomeStatus.SKIPPED, FAILED_BEFORE] == 9
    assert Tally(row.last_build.status for row in world.list_prebuilds()) == {
        BuildStatus.FAILED: 1,
        BuildStatus.PENDING: 9,
    }
