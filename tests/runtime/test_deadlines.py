"""Deadlines in the loop (R14): what is late is replaced, and counts as one failed build exactly once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import attrs
import pytest

from prebuilds import Build, BuildStatus, PrebuildStatus, Preset, Transition, plan
from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import BuildRequest, Counter, OutcomeStatus, Reconciler, Transaction, Workspace
from prebuilds.runtime.deadlines import DeleteStuck, GiveUpStart
from prebuilds.runtime.loop.calls.batches import list_batches
from prebuilds.runtime.loop.calls.handover import Handover
from prebuilds.runtime.loop.calls.timed_calls import LimitedCalls
from prebuilds.runtime.loop.effect_lists import list_effects
from prebuilds.runtime.loop.effects import Effect
from prebuilds.runtime.loop.executor import Executor
from prebuilds.runtime.loop.fleet_reading import read_fleet
from prebuilds.runtime.loop.leasing import HeldLease, take_lease
from prebuilds.testing.contracts.equipment.requests import delete_one
from runtime.world import HOUR, MINUTE, NOW, ScriptedBuilder, World, make_preset

DAY = timedelta(days=1)
QUARTER = 15 * MINUTE
READY: Preset = make_preset(desired_instances=1, ready_deadline=QUARTER)
BUILT: Preset = make_preset(desired_instances=1, build_deadline=HOUR)


class CancelingBuilder(ScriptedBuilder):
    """Cancels builds when asked, and notes which."""

    def __init__(self, world: World) -> None:
        super().__init__(world.reports)
        self.canceled: list[str] = []
        self.is_quick = True

    def cancel(self, build_id: str, *, timeout: timedelta) -> None:
        assert timeout > timedelta()
        self.canceled.append(build_id)
        if self.is_quick:
            self._reports.cancel(build_id)


def list_history(world: World) -> list[tuple[BuildStatus, timedelta, timedelta]]:
    """The outcomes that count: how each ended, and when it began and ended, from the beginning of the world."""
    with world.store.transaction(read_only=True) as tx:
        builds: list[Build] = list(tx.read_rows(ended_since=NOW - DAY).builds)
    ends = [(build.status, build.created_at - NOW, (build.finished_at or NOW) - NOW) for build in builds]
    return sorted(ends, key=lambda end: (end[1], end[2]))


def list_late_effects(world: World) -> list[Effect]:
    """What a pass would do now about what is late."""
    now = world.clock.now()
    with world.store.transaction(read_only=True) as tx:
        fleet = read_fleet(tx, now=now, policy=world.options.policy)
    (decision,) = plan(fleet.snapshot, now=now, policy=world.options.policy)
    effects = list_effects(fleet, decision, now=now, new_id=lambda: "new")
    return [effect for effect in effects if isinstance(effect, (DeleteStuck, GiveUpStart))]


def carry_out(world: World, effects: list[Effect]) -> list[OutcomeStatus]:
    """How the effects end, in a pass whose plan they are."""
    store, clock = world.store, world.clock
    lease = take_lease(store, "lease", "test", clock, MINUTE)
    assert lease is not None
    held = HeldLease(store, lease, clock=clock, duration=MINUTE, longest_call=MINUTE)
    calls = LimitedCalls(most=8, timeout=MINUTE, clock=clock)
    handover = Handover(world.builder, calls, held, width=1, is_stopping=lambda: False)
    executor = Executor(store, handover, lease=held, clock=clock)
    return [outcome.status for batch in list_batches(effects) for outcome in executor.carry_out(batch)]


def count_failed(world: World) -> int:
    return world.list_counters().get(("p", Counter.FAILED), 0)


def begin(world: World) -> Workspace:
    """The only prebuild, its start begun by the builder."""
    world.reconcile()
    (workspace,) = world.list_prebuilds()
    world.reports.begin(workspace.last_build.id)
    return workspace


def count_starts(world: World) -> int:
    return len(world.builder.list_taken(Transition.START))


def list_deleted(world: World) -> list[str]:
    return [name for name, _ in world.builder.list_taken(Transition.DELETE)]


# 2. Never ready.


def test_a_prebuild_that_is_never_ready_is_deleted_replaced_and_counted() -> None:
    """Field case 2: from its deadline on. Its start takes no part in the history any more; its failure does."""
    world = World(READY)
    world.reconcile()
    world.builder.finish(ready=False)
    (stuck,) = world.list_prebuilds()
    result = world.reconcile()
    assert result.next_change_at == NOW + QUARTER
    world.clock.advance(QUARTER)
    result = world.reconcile()
    assert result.plan is not None
    assert result.plan.decisions[0].state.stuck == 1
    assert (list_deleted(world), count_starts(world), count_failed(world)) == ([stuck.id], 2, 1)
    result = world.reconcile()
    assert result.plan is not None
    backoff = result.plan.decisions[0].snapshot.backoff
    assert backoff is not None
    assert (backoff.num_failed, backoff.last_build_at) == (1, NOW + QUARTER)
    assert (list_deleted(world), count_starts(world), count_failed(world)) == ([stuck.id], 2, 1)


def test_after_three_that_are_never_ready_the_preset_is_limited() -> None:
    """Field case 2: although every start succeeded. Nothing more is created until a reset."""
    world = World(READY)
    for _ in range(10):
        world.reconcile()
        world.builder.finish(ready=False)
        world.clock.advance(QUARTER)
    assert world.list_presets()[0].prebuild_status is PrebuildStatus.HARD_LIMITED
    assert (count_starts(world), count_failed(world)) == (4, 4)
    assert world.list_prebuilds() == []


def test_what_becomes_ready_in_time_is_kept() -> None:
    """A prebuild that was unready for a while, and one that becomes ready between the plan and the delete."""
    world = World(READY)
    world.reconcile()
    world.builder.finish(ready=False)
    (workspace,) = world.list_prebuilds()
    world.clock.advance(QUARTER)
    effects = list_late_effects(world)
    world.reports.make_ready(workspace.id)
    assert [type(effect) for effect in effects] == [DeleteStuck]
    assert carry_out(world, effects) == [OutcomeStatus.SKIPPED]
    assert (list_deleted(world), count_failed(world)) == ([], 0)
    assert world.get(workspace.id).last_build.transition is Transition.START


class Interrupted(MemoryStore):
    """Calls `before` once, just before the next write of a reconciler."""

    before: Callable[[], object] | None = None

    def transaction(self, **options: Any) -> AbstractContextManager[Transaction]:
        if options.get("lease") and self.before:
            before, self.before = self.before, None
            before()
        return super().transaction(**options)


@pytest.mark.parametrize("preset", [READY, BUILT])
def test_nothing_replaces_what_comes_after_all(preset: Preset) -> None:
    """A late prebuild, or a late start, that is good before it is given up: the pass creates nothing beside it."""
    store = Interrupted()
    world = World(preset, store=store)
    world.reconcile()
    (workspace,) = world.list_prebuilds()
    if preset is READY:
        world.builder.finish(ready=False)
    else:
        world.reports.begin(workspace.last_build.id)
    world.clock.advance(HOUR)
    store.before = lambda: (world.reports.succeed(workspace.last_build.id), world.reports.make_ready(workspace.id))
    (result,) = world.reconcile().presets
    assert [outcome.status for outcome in result.outcomes] == [OutcomeStatus.SKIPPED] * 2
    assert result.outcomes[1].reason == "a prebuild that was late has come after all"
    assert [row.id for row in world.list_prebuilds()] == [workspace.id]


def test_a_stuck_prebuild_is_noted_once_though_its_delete_fails() -> None:
    """It is then left over, and its delete is tried again without another note."""
    world = World(READY)
    world.reconcile()
    world.builder.finish(ready=False)
    world.clock.advance(QUARTER)
    world.reconcile()
    for _ in range(3):
        world.builder.finish(succeed=False)
        world.clock.advance(3 * MINUTE)
        world.reconcile()
    assert len([name for name in list_deleted(world) if name == "0002"]) > 1
    assert [end for end in list_history(world) if end[1] == timedelta()] == [
        (BuildStatus.SUCCEEDED, timedelta(), timedelta()),
        (BuildStatus.FAILED, timedelta(), QUARTER),
    ]


# 3. Hung start.


@pytest.mark.parametrize("end", ["succeed", "fail", "cancel"])
def test_a_hung_start_is_replaced_once_and_deleted_when_it_ends(end: str) -> None:
    """Field case 3: whatever the outcome, which no longer counts. Until then it is left alone."""
    world = World(BUILT)
    hung = begin(world)
    assert world.reconcile().next_change_at == NOW + HOUR
    world.clock.advance(3 * DAY)
    result = world.reconcile()
    assert result.plan is not None
    state = result.plan.decisions[0].state
    assert (state.overdue, state.starting) == (1, 0)
    assert (count_starts(world), count_failed(world)) == (2, 1)
    for _ in range(2):
        world.clock.advance(MINUTE)
        world.reconcile()
    assert (list_deleted(world), count_starts(world), count_failed(world)) == ([], 2, 1)
    getattr(world.reports, end)(hung.last_build.id)
    if end == "succeed":
        world.reports.make_ready(hung.id)
    world.reconcile()
    assert (list_deleted(world), count_starts(world), count_failed(world)) == ([hung.id], 2, 1)
    assert list_history_of_hung(world) == [(BuildStatus.FAILED, timedelta(), 3 * DAY)]


def list_history_of_hung(world: World) -> list[tuple[BuildStatus, timedelta, timedelta]]:
    return [end for end in list_history(world) if end[1] == timedelta()]


def test_a_start_that_never_began_is_canceled_and_deleted_at_once() -> None:
    """It cannot begin any more, so nothing will come of it."""
    world = World(BUILT)
    world.reconcile()
    (hung,) = world.list_prebuilds()
    world.clock.advance(HOUR)
    world.reconcile()
    assert not world.reports.begin(hung.last_build.id)
    world.reconcile()
    assert (list_deleted(world), count_starts(world), count_failed(world)) == ([hung.id], 2, 1)


def test_a_start_that_was_never_handed_over_is_given_up_too() -> None:
    """After its deadline it is not handed over any more."""
    world = World(BUILT)
    world.builder.error = TimeoutError("no answer")
    world.reconcile()
    world.builder.error = None
    world.clock.advance(HOUR)
    world.reconcile()
    assert (count_starts(world), count_failed(world)) == (1, 1)


def test_a_builder_that_can_cancel_is_asked_to() -> None:
    """Field case 3: until it reports the end. Then the workspace is deleted."""
    world = World(BUILT)
    builder = CancelingBuilder(world)
    builder.is_quick = False
    world.builder = builder
    world.reconciler = Reconciler(world.store, builder, options=world.options)
    hung = begin(world)
    world.clock.advance(HOUR)
    world.reconcile()
    world.reconcile()
    assert builder.canceled == [hung.last_build.id] * 2
    builder.is_quick = True
    world.reconcile()
    world.reconcile()
    assert builder.canceled == [hung.last_build.id] * 3
    assert (list_deleted(world), count_failed(world)) == ([hung.id], 1)


def test_a_start_that_ends_before_it_is_given_up_is_kept() -> None:
    """Between the plan and the write: nothing is noted, and it is not given up."""
    world = World(BUILT)
    hung = begin(world)
    world.clock.advance(HOUR)
    effects = list_late_effects(world)
    world.reports.succeed(hung.last_build.id)
    assert [type(effect) for effect in effects] == [GiveUpStart]
    assert carry_out(world, effects) == [OutcomeStatus.SKIPPED]
    assert (world.get(hung.id).retired, count_failed(world)) == (False, 0)


def test_two_loops_note_a_failure_once() -> None:
    """The one that comes second finds that the start was given up."""
    world = World(BUILT)
    begin(world)
    world.clock.advance(HOUR)
    effects = list_late_effects(world)
    assert carry_out(world, effects) == [OutcomeStatus.DONE]
    assert carry_out(world, effects) == [OutcomeStatus.SKIPPED]
    assert (count_failed(world), len(list_history(world))) == (1, 1)


def test_a_start_that_was_given_up_stays_overdue_if_its_deadline_is_taken_away() -> None:
    """It will be deleted when it ends, so it fills no place."""
    world = World(BUILT)
    begin(world)
    world.clock.advance(HOUR)
    world.reconcile()
    world.put(attrs.evolve(BUILT, build_deadline=None))
    result = world.reconcile()
    assert result.plan is not None
    assert (result.plan.decisions[0].state.overdue, result.plan.decisions[0].state.starting) == (1, 1)


def test_of_three_starts_of_one_pass_the_hung_one_fails_no_attempt() -> None:
    """An attempt in which another build succeeded has not failed, so the preset is never limited for it."""
    world = World(attrs.evolve(BUILT, desired_instances=2))
    for _ in range(5):
        world.reconcile()
        starts = [row for row in world.list_prebuilds() if not row.last_build.status.is_final]
        for row in starts:
            world.reports.begin(row.last_build.id)
        for row in starts[1:]:
            if row.last_build.transition is Transition.START:
                world.reports.succeed(row.last_build.id)
                world.reports.lose(row.id)
        world.clock.advance(2 * HOUR)
    assert world.list_presets()[0].prebuild_status is PrebuildStatus.HEALTHY


def test_every_prebuild_is_in_one_class() -> None:
    """Running, starting, stopping, deleting, stuck, overdue, or left over: the counts add up to all of them."""
    preset = make_preset(desired_instances=8, ready_deadline=QUARTER, build_deadline=HOUR)
    world = World(preset)
    world.reconcile()
    rows = world.list_prebuilds()
    for row in rows[:6]:
        world.reports.begin(row.last_build.id)
    for row in rows[:4]:
        world.reports.succeed(row.last_build.id)
    world.reports.make_ready(rows[0].id)
    world.reports.fail(rows[4].last_build.id)
    world.reports.lose(rows[1].id)
    with world.store.transaction() as tx:
        request = BuildRequest(build_id="delete", workspace_id=rows[3].id, transition=Transition.DELETE)
        assert delete_one(tx, request, now=NOW)
    with world.store.transaction(read_only=True) as tx:
        fleet = read_fleet(tx, now=NOW + HOUR, policy=world.options.policy)
    (decision,) = plan(fleet.snapshot, now=NOW + HOUR)
    state = decision.state
    counts = (state.actual, state.starting, state.stopping, state.deleting, state.stuck, state.overdue)
    assert (*counts, len(fleet.leftovers)) == (2, 0, 0, 1, 1, 3, 1)
    assert sum(counts) + len(fleet.leftovers) == len(rows)


def test_the_loop_looks_again_when_a_start_is_late_and_at_once_after_its_failure() -> None:
    """The plan that begins a start cannot know its deadline yet, nor the failure that giving it up notes."""
    world = World(BUILT)
    assert world.reconcile().next_change_at == NOW + HOUR
    world.clock.advance(HOUR)
    assert world.reconcile().next_change_at == NOW + HOUR
    assert world.reconcile().next_change_at == NOW + HOUR + MINUTE + timedelta(microseconds=1)  # the backoff is over


def test_the_loop_looks_again_at_once_after_it_noted_a_stuck_prebuild() -> None:
    world = World(READY)
    world.reconcile()
    world.builder.finish(ready=False)
    world.clock.advance(HOUR)
    assert world.reconcile().next_change_at == NOW + HOUR
