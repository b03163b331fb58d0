"""Passes: each effect of a plan is carried out by itself, and rows that have changed since the plan are left alone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

import attrs
import pytest

from prebuilds import (
    ActionType,
    BuildStatus,
    PrebuildStatus,
    Preset,
    ReconciliationActions,
    Transition,
    UnknownPresetError,
    Withheld,
    WithheldReason,
)
from prebuilds.adapters.memory import MemoryStore
from prebuilds.errors import CommitUnknownError
from prebuilds.runtime import (
    AddMembership,
    BuildRequest,
    CancelPending,
    Counter,
    CreatePrebuild,
    DeletePrebuild,
    EffectOutcome,
    OutcomeStatus,
    PassStatus,
    PresetResult,
    Reconciler,
    ReconciliationResult,
    SetPrebuildStatus,
    SubmitBuild,
)
from runtime.world import HOUR, MINUTE, NOW, SECOND, ScriptedBuilder, World, make_preset, make_version

EMPTY = ReconciliationResult(status=PassStatus.RECONCILED, started_at=NOW)


def create(number: int, preset: Preset | None = None) -> CreatePrebuild:
    """The effect with the n-th pair of ids."""
    preset = preset or make_preset()
    return CreatePrebuild(
        preset_id=preset.id,
        name=f"prebuild-{2 * number:04}",
        begun_at=NOW,
        request=BuildRequest(
            build_id=f"{2 * number - 1:04}",
            workspace_id=f"{2 * number:04}",
            transition=Transition.START,
            preset_id=preset.id,
            template_version_id="v1",
            parameters=preset.parameters,
        ),
    )


def delete(build_id: str, workspace_id: str) -> DeletePrebuild:
    request = BuildRequest(build_id=build_id, workspace_id=workspace_id, transition=Transition.DELETE)
    return DeletePrebuild(preset_id="p", request=request)


def done(*effects: object) -> tuple[EffectOutcome, ...]:
    return tuple(EffectOutcome(effect=effect, status=OutcomeStatus.DONE) for effect in effects)


def skipped(reason: str, *effects: object) -> tuple[EffectOutcome, ...]:
    return tuple(EffectOutcome(effect=effect, status=OutcomeStatus.SKIPPED, reason=reason) for effect in effects)


def list_outcomes(result: ReconciliationResult) -> tuple[EffectOutcome, ...]:
    return tuple(outcome for preset in result for outcome in preset.outcomes)


def test_an_empty_pool_is_filled_and_then_left_alone() -> None:
    """The membership comes before the first create; the second pass has nothing to do."""
    world = World()
    result = world.reconcile()
    outcomes = done(AddMembership(preset_id="p", organization_id="o"), create(1), create(2))
    assert attrs.evolve(result, plan=None) == attrs.evolve(
        EMPTY, presets=(PresetResult(preset_id="p", outcomes=outcomes),)
    )
    assert result.plan is not None
    assert result.plan.decisions[0].actions == (ReconciliationActions(type=ActionType.CREATE, create=2),)
    assert world.list_counters() == {("p", Counter.CREATED): 2}
    assert list_outcomes(world.reconcile()) == ()
    world.builder.finish()
    assert list_outcomes(world.reconcile()) == ()
    assert [workspace.ready for workspace in world.list_prebuilds()] == [True, True]


def test_the_builder_gets_version_and_parameters_of_a_start() -> None:
    """And the name by which it knows the build again."""
    world = World(make_preset(desired_instances=1, parameters={"cpu": "4"}))
    world.reconcile()
    request = create(1, make_preset(parameters={"cpu": "4"})).request
    assert world.builder.taken == {"0001": (request, "v1")}


def test_a_create_of_a_version_that_was_promoted_over_meanwhile_is_skipped() -> None:
    """What was planned is compared in the transaction that writes; nothing of the old version is made."""
    world = World()
    before_first_write(world, lambda: world.promote(make_preset()))
    result = world.reconcile()
    assert list_outcomes(result)[1:] == skipped("the planned version is no longer active", create(1), create(2))
    assert world.list_prebuilds() == []
    assert world.list_counters() == {}


def before_first_write(world: World, act: Callable[[], object]) -> None:
    """Do this between the plan of the next pass and its first write."""
    acts, real = iter([act]), world.store.transaction

    def transaction(**options: object):  # noqa: ANN202
        if options.get("lease"):
            for next_act in acts:
                next_act()
        return real(**options)

    world.store.transaction = transaction  # type: ignore[method-assign]


def test_a_delete_of_a_prebuild_that_was_claimed_meanwhile_is_skipped() -> None:
    """Nobody loses a workspace that is already theirs; the next in the list is deleted all the same."""
    world = World()
    world.fill()
    world.put(make_preset(desired_instances=0))
    before_first_write(world, world.claim)
    result = world.reconcile()
    assert list_outcomes(result) == (
        *skipped("it is no longer a prebuild, or another build of it is under way", delete("0005", "0002")),
        *done(delete("0006", "0004")),
    )
    claimed = world.get("0002")
    assert (claimed.owner_id, claimed.is_running) == ("ann", True)


def test_a_prebuild_of_an_older_version_is_deleted_by_that_version() -> None:
    """The request names none, and the stored build runs with the version that made the workspace (change 2)."""
    world = World()
    world.fill()
    world.promote(make_preset())
    world.put(make_preset(id="q", template_version=make_version("v2")))
    result = world.reconcile()
    deletes = [outcome.effect for outcome in list_outcomes(result) if isinstance(outcome.effect, DeletePrebuild)]
    assert deletes == [delete("0005", "0002"), delete("0006", "0004")]
    assert [world.get(name).last_build.template_version_id for name in ("0002", "0004")] == ["v1", "v1"]
    assert world.builder.list_taken(Transition.DELETE) == [("0002", "v1"), ("0004", "v1")]
    world.builder.finish()
    assert [(w.preset_id, w.last_build.template_version_id) for w in world.list_prebuilds()] == [("q", "v2")] * 2


def test_pending_jobs_of_an_inactive_preset_are_canceled_and_not_submitted() -> None:
    """A build that was never handed over is not handed over to be canceled; its workspace is gone."""
    world = World(make_preset(desired_instances=1))
    world.builder.error = TimeoutError("no answer")
    world.reconcile()
    world.builder.error = None
    world.promote(make_preset(desired_instances=1))
    assert list_outcomes(world.reconcile()) == done(CancelPending(preset_id="p"))
    assert world.list_prebuilds() == []
    assert world.get("0002").last_build.status is BuildStatus.CANCELED
    assert world.builder.taken == {}


def test_a_build_that_was_not_handed_over_is_handed_over_by_the_next_pass() -> None:
    """As after a crash between commit and submit, or an answer that never came. It is created once."""
    world = World(make_preset(desired_instances=1))
    world.builder.error = TimeoutError("no answer")
    (_, created) = list_outcomes(world.reconcile())
    assert (created.status, created.reason) == (OutcomeStatus.FAILED, "TimeoutError: no answer")
    world.builder.error = None
    submit = SubmitBuild(preset_id="p", request=create(1).request, template_version_id="v1")
    assert list_outcomes(world.reconcile()) == done(submit)
    assert list_outcomes(world.reconcile()) == ()
    assert world.builder.list_taken(Transition.START) == [("0002", "v1")]


def test_a_delete_that_was_not_handed_over_is_handed_over_by_the_next_pass() -> None:
    """By the version that it resolved to when it was written."""
    world = World(make_preset(desired_instances=1))
    world.fill()
    world.put(make_preset(desired_instances=0))
    world.builder.error = TimeoutError("no answer")
    world.reconcile()
    world.builder.error = None
    submit = SubmitBuild(preset_id="p", request=delete("0003", "0002").request, template_version_id="v1")
    assert list_outcomes(world.reconcile()) == done(submit)


def test_what_the_builder_refuses_is_a_failed_build_and_backs_off() -> None:
    """The rest of the preset's creates wait for the backoff. What is left of the failed one is removed."""
    world = World(make_preset(desired_instances=3))
    world.builder.error = RuntimeError("quota exceeded")
    _, first, *rest = list_outcomes(world.reconcile())
    assert (first.status, first.reason) == (OutcomeStatus.FAILED, "RuntimeError: quota exceeded")
    assert tuple(rest) == skipped("an earlier create of the preset failed", create(2), create(3))
    assert [build.status for build in world.list_builds()] == [BuildStatus.FAILED]
    assert world.list_counters() == {("p", Counter.CREATED): 1, ("p", Counter.FAILED): 1}
    world.builder.error = None
    result = world.reconcile()
    assert list_outcomes(result) == done(delete("0007", "0002"))
    assert result.plan is not None
    assert result.plan.decisions[0].actions[0].type is ActionType.BACKOFF
    assert result.next_change_at == NOW + MINUTE + timedelta.resolution
    world.builder.finish()
    world.clock.advance(MINUTE + timedelta.resolution)
    assert [type(outcome.effect) for outcome in list_outcomes(world.reconcile())] == [CreatePrebuild] * 3


class RefusingStore(MemoryStore):
    """A host whose tables refuse a new workspace."""

    error: Exception | None = None

    def transaction(self, **options):  # type: ignore[no-untyped-def, override]  # noqa: ANN003, ANN201
        return _Refusing(super().transaction(**options), self.error)


class _Refusing:
    def __init__(self, inner: object, error: Exception | None) -> None:
        self._inner, self._error = inner, error

    def __enter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
        tx = self._inner.__enter__()  # type: ignore[attr-defined]
        if self._error:
            tx.insert_prebuilds = self._refuse
        return tx

    def __exit__(self, *error: object):  # type: ignore[no-untyped-def]  # noqa: ANN204
        return self._inner.__exit__(*error)  # type: ignore[attr-defined]

    def _refuse(self, *_: object, **__: object) -> bool:
        assert self._error
        raise self._error


def test_what_the_store_refuses_is_a_failed_build_without_a_workspace() -> None:
    """An error while creating leaves a trace, so that the backoff sees it. One that may pass by itself does not."""
    store = RefusingStore()
    world = World(make_preset(desired_instances=2), store=store)
    for error in (TimeoutError("busy"), CommitUnknownError("it was cut off")):
        store.error = error
        outcomes = list_outcomes(world.reconcile())
        assert [outcome.status for outcome in outcomes[-2:]] == [OutcomeStatus.FAILED, OutcomeStatus.SKIPPED]
        assert world.list_builds() == []
    store.error = ValueError("no such region")
    first, second = list_outcomes(world.reconcile())
    assert (first.status, first.reason) == (OutcomeStatus.FAILED, "ValueError: no such region")
    assert second.status is OutcomeStatus.SKIPPED
    assert [(build.id, build.status) for build in world.list_builds()] == [("0009", BuildStatus.FAILED)]
    assert world.list_counters() == {("p", Counter.FAILED): 1}
    assert world.list_prebuilds() == []


def test_failed_deletes_are_tried_again_after_a_wait_that_grows() -> None:
    """A minute for each failure, under the usual policy; the loop knows when. Nobody can claim it meanwhile."""
    world = World(make_preset(desired_instances=1))
    world.fill()
    world.put(make_preset(desired_instances=0))
    for failures in range(1, 4):
        assert len(world.reconcile().done) == 1
        world.builder.finish(succeed=False)
        result = world.reconcile()
        assert result.presets == ()
        assert result.next_change_at == world.clock.now() + failures * MINUTE
        assert world.claim().workspace is None
        world.clock.advance(failures * MINUTE - SECOND)
        assert world.reconcile().presets == ()
        world.clock.advance(SECOND)
    world.reconcile()
    world.builder.finish()
    assert (world.get("0002").deleted, world.get("0002").failed_deletes) == (True, 3)


def test_a_wait_for_a_failed_delete_is_never_longer_than_the_look_back() -> None:
    """What failed a hundred times is still tried again."""
    world = World(make_preset(desired_instances=1))
    world.fill()
    world.put(make_preset(desired_instances=0))
    for _ in range(70):
        world.reconcile()
        world.builder.finish(succeed=False)
        world.clock.advance(HOUR)
    assert world.get("0002").failed_deletes == 70
    assert len(world.reconcile().done) == 1


def test_hard_limited_presets_are_marked_once_and_reset_on_request() -> None:
    """The mark is for people; the limit follows from the builds. A reset takes both away."""
    world = World(make_preset(desired_instances=1))
    outcomes: list[EffectOutcome] = []
    for _ in range(3):
        world.reconcile()
        world.builder.finish(succeed=False)
        outcomes += list_outcomes(world.reconcile())
        world.builder.finish()
        world.clock.advance(10 * MINUTE)
    mark = SetPrebuildStatus(preset_id="p", status=PrebuildStatus.HARD_LIMITED)
    assert outcomes == [*done(delete("0003", "0002"), delete("0006", "0005"), mark, delete("0009", "0008"))]
    marked = world.reconcile()
    assert marked.presets == ()
    assert marked.plan is not None
    assert marked.plan.decisions[0].withheld == (
        Withheld(reason=WithheldReason.HARD_LIMITED, action=ReconciliationActions(type=ActionType.CREATE, create=1)),
    )
    world.controls.reset("p")
    with world.store.transaction(read_only=True) as tx:
        assert tx.list_presets("p")[0].prebuild_status is PrebuildStatus.HEALTHY
    assert [type(outcome.effect) for outcome in list_outcomes(world.reconcile())] == [CreatePrebuild]


def test_a_paused_pass_writes_nothing() -> None:
    """Not even what was begun before; it tells what it would do."""
    world = World()
    world.controls.pause()
    result = world.reconcile()
    assert (result.status, result.presets, result.next_change_at) == (PassStatus.PAUSED, (), None)
    assert result.plan is not None
    assert [entry.reason for entry in result.plan.decisions[0].withheld] == [WithheldReason.PAUSED]
    assert world.list_prebuilds() == []
    world.controls.resume()
    assert len(world.reconcile().done) == 3


class OneBadPreset(ScriptedBuilder):
    """Refuses the builds of one preset."""

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:
        if request.preset_id == "bad":
            raise OSError("broken image")
        super().submit(request, template_version_id, timeout=timeout)


def test_one_preset_that_fails_stops_no_other() -> None:
    """Each has its own effects, its own transactions and its own result."""
    world = World(*(make_preset(id=name, desired_instances=1) for name in ("a", "bad", "c")))
    reconciler = Reconciler(world.store, OneBadPreset(world.reports), options=world.options)
    result = reconciler.reconcile_all()
    assert [preset.preset_id for preset in result] == ["a", "bad", "c"]
    assert [preset.outcomes[-1].status.value for preset in result] == ["done", "failed", "done"]


def test_one_preset_can_be_reconciled_alone() -> None:
    """At an event that names it; an unknown one is an error."""
    world = World(make_preset(), make_preset(id="q"))
    result = world.reconciler.reconcile_preset("q")
    assert [preset.preset_id for preset in result] == ["q"]
    assert {workspace.preset_id for workspace in world.list_prebuilds()} == {"q"}
    with pytest.raises(UnknownPresetError, match="ghost"):
        world.reconciler.reconcile_preset("ghost")


@pytest.mark.parametrize(("connections", "most"), [(1, 1), (2, 1), (5, 2), (8, 4)])
def test_no_more_than_half_of_the_connections_are_used(connections: int, most: int) -> None:
    """So that a claim finds one. As many presets as that are worked on at once, and no more."""
    world = World(
        *(make_preset(id=f"p{number}", desired_instances=1) for number in range(12)),
        store=MemoryStore(max_connections=connections),
    )
    busy, seen, lock = 0, [], threading.Lock()
    together = threading.Barrier(most)

    def enter(_: BuildRequest) -> None:
        nonlocal busy
        with lock:
            busy += 1
            seen.append(busy)
        together.wait(timeout=30)
        with lock:
            busy -= 1

    world.builder.on_submit = enter
    assert len(world.reconcile().failed) == 0
    assert max(seen) == most


def test_the_second_reconciler_leaves_quietly_until_the_lease_is_free() -> None:
    """One works. When it has stopped, or its time is over, another does."""
    world = World()
    second = Reconciler(world.store, world.builder, options=world.options)
    assert world.reconcile().status is PassStatus.RECONCILED
    assert second.reconcile_all() == attrs.evolve(EMPTY, status=PassStatus.NOT_LEADER)
    world.clock.advance(60 * SECOND)
    assert second.reconcile_all().status is PassStatus.RECONCILED
    assert world.reconcile().status is PassStatus.NOT_LEADER


def test_a_reconciler_that_was_deposed_in_a_pass_writes_no_more() -> None:
    """Its next write is refused by the token of its lease, and the rest is not tried."""
    world = World(make_preset(desired_instances=3))
    second = Reconciler(world.store, ScriptedBuilder(world.reports), options=world.options)

    def depose(_: BuildRequest) -> None:
        world.clock.advance(2 * MINUTE)
        assert second.reconcile_all().status is PassStatus.RECONCILED

    world.builder.on_submit = depose
    _, first, *rest = list_outcomes(world.reconcile())
    assert first.status is OutcomeStatus.FAILED
    assert first.reason == "LeaseLostError: the lease 'prebuilds' with the token 1 has been taken by another holder"
    assert {outcome.reason for outcome in rest} == {f"the lease could not be renewed: {first.reason}"}
    assert len(world.list_prebuilds()) == 3
    world.builder.on_submit = lambda _: None
    assert second.reconcile_all().failed == ()
    assert len(world.list_prebuilds()) == 3


def test_a_lease_is_renewed_within_a_long_pass() -> None:
    """Before the next effect, when half of its time is over."""
    world = World()
    world.builder.on_submit = lambda _: world.clock.advance(45 * SECOND)
    assert world.reconcile().failed == ()
    second = Reconciler(world.store, world.builder, options=world.options)
    assert second.reconcile_all().status is PassStatus.NOT_LEADER


def test_effects_are_logged_with_fields(caplog: pytest.LogCaptureFixture) -> None:
    """A record for each preset that something was done for, and a warning with its traceback for what failed.

    The message alone says what, and whose.
    """
    caplog.set_level(logging.INFO, "prebuilds")
    world = World()
    world.builder.error = RuntimeError("quota exceeded")
    world.reconcile()
    failed, reconciled = caplog.records
    assert (failed.levelname, failed.exc_info is None) == ("WARNING", False)
    assert read_record(failed) == (
        "p: create failed: RuntimeError: quota exceeded",
        {"preset_id": "p", "effect": "create", "build_id": "0001", "workspace_id": "0002"},
    )
    assert read_record(reconciled) == (
        "p: 1 done, 1 skipped, 0 held, 1 failed",
        {"preset_id": "p", "done": 1, "skipped": 1, "held": 0, "failed": 1, "elapsed_seconds": 0.0},
    )


def read_record(record: logging.LogRecord) -> tuple[str, dict[str, object]]:
    """The message, and the fields that are the library's own."""
    usual = vars(logging.makeLogRecord({})).keys() | {"message"}
    return record.getMessage(), {name: value for name, value in vars(record).items() if name not in usual}


@pytest.mark.parametrize("transition", [Transition.START, Transition.DELETE])
def test_no_log_record_has_the_parameters_of_a_build(transition: Transition, caplog: pytest.LogCaptureFixture) -> None:
    """They may be secret. Nothing that a record carries tells them, at any level, when a call to the host fails."""
    caplog.set_level(logging.DEBUG, "prebuilds")
    preset = make_preset(parameters={"token": "hunter2"})
    world = World(preset)
    if transition is Transition.DELETE:
        world.fill()
        world.promote(preset)
    for error in (TimeoutError("no answer"), RuntimeError("quota exceeded")):
        world.builder.error = error
        assert world.reconcile().failed
    records = [(record.getMessage(), vars(record)) for record in caplog.records]
    assert "failed" in repr(records)
    assert "hunter2" not in repr(records)


def test_prebuilds_of_no_known_preset_are_left_alone_and_counted() -> None:
    """They are orphans of the plan (R1); neither their rows nor their builds stop a pass."""
    world = World(make_preset(desired_instances=1))
    world.fill()
    store = MemoryStore()
    store._committed = attrs.evolve(world.store._committed, presets={})  # type: ignore[attr-defined]
    result = Reconciler(store, world.builder, options=world.options).reconcile_all()
    assert result.plan is not None
    assert (result.presets, result.plan.orphans) == ((), 1)
