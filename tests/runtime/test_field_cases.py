"""Problems that people had with warm pools elsewhere, each with the right outcome, through the whole loop."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from prebuilds import Build, BuildStatus, InvalidValueError, PrebuildStatus, Preset, Transition
from prebuilds.errors import NoRoomError, UnknownWorkspaceError, WrongOwnerError
from prebuilds.runtime import (
    PREBUILDS_USER_ID,
    BuildReports,
    BuildRequest,
    Claim,
    MissReason,
    OutcomeStatus,
    Workspace,
    WorkspaceBuild,
)
from prebuilds.testing.clocks import ManualClock
from runtime.world import HOUR, MINUTE, NOW, SECOND, World, make_preset, make_version

V1_EU: dict[str, Any] = {"template_version": make_version("v1"), "parameters": {"region": "eu"}}
V2_US: dict[str, Any] = {"template_version": make_version("v2"), "parameters": {"region": "us"}}


def list_starts(world: World) -> list[tuple[str, str]]:
    return world.builder.list_taken(Transition.START)


def list_deletes(world: World) -> list[tuple[str, str]]:
    return world.builder.list_taken(Transition.DELETE)


def fail_until_limited(world: World) -> None:
    """Let three attempts fail, each after the backoff of the one before."""
    for _ in range(3):
        world.reconcile()
        world.builder.finish(succeed=False)
        world.clock.advance(10 * MINUTE)
    world.reconcile()
    world.builder.finish()
    world.reconcile()


# 1. Stopped by the host.


def test_a_prebuild_that_the_host_stopped_is_deleted_and_replaced() -> None:
    """Field case 1: it serves nobody and fills no place, so the next pass asks for its delete and for another."""
    world = World(make_preset(desired_instances=3))
    world.fill()
    stopped = world.list_prebuilds()[0]
    stop(world, stopped)
    world.reconcile()
    assert list_deletes(world) == [(stopped.id, "v1")]
    assert len(list_starts(world)) == 4
    world.builder.finish()
    assert [workspace.is_running for workspace in world.list_prebuilds()] == [True] * 3


def stop(world: World, workspace: Workspace) -> None:
    """As a host does in tables of its own."""
    build = WorkspaceBuild(
        id="stop",
        number=2,
        transition=Transition.STOP,
        status=BuildStatus.SUCCEEDED,
        template_version_id="v1",
        created_at=NOW - 72 * HOUR,
        finished_at=NOW - 72 * HOUR,
    )
    with world.store.transaction() as tx:
        tx.rows.put_workspaces([attrs.evolve(workspace, last_build=build)])  # type: ignore[attr-defined]


# 5. A count of 1,000,000,000.


def test_a_mistyped_count_creates_no_more_than_a_pass_may() -> None:
    """Field case 5: the pass creates `max_creates`, says what it withheld, and serves the other preset."""
    world = World(make_preset(desired_instances=1_000_000_000), make_preset(id="q", desired_instances=1))
    result = world.reconcile()
    assert result.plan is not None
    huge = result.plan.decisions[0]
    assert [action.create for action in huge.actions] == [1_000]
    assert [(entry.reason.value, entry.action.create) for entry in huge.withheld] == [("max_creates", 999_999_000)]
    starts = [request.preset_id for request, _ in world.builder.taken.values()]
    assert (starts.count("p"), starts.count("q")) == (1_000, 1)


# 17. Clocks apart.


def list_failing_starts(skew: timedelta, duration: timedelta) -> list[datetime]:
    """When starts are submitted that all fail at once, each reported by a clock that is so far ahead."""
    world, clock = World(make_preset(desired_instances=3)), ManualClock(NOW + skew)
    reports, reported, starts = BuildReports(world.store, clock=clock), set[str](), list[datetime]()
    while world.clock.now() < NOW + duration:
        world.reconcile()
        new = [request for request, _ in world.builder.taken.values() if request.build_id not in reported]
        for request in new:
            reported.add(request.build_id)
            report = reports.fail if request.transition is Transition.START else reports.succeed
            report(request.build_id)
            starts += [world.clock.now()] * (request.transition is Transition.START)
        if not new:
            world.clock.advance(SECOND)
            clock.advance(SECOND)
    return starts


@pytest.mark.parametrize("skew", [-15 * MINUTE, -SECOND, 2 * SECOND, 15 * MINUTE])
def test_a_builder_whose_clock_is_off_gets_no_more_starts(skew: timedelta) -> None:
    """Field case 17: three starts, then the backoff, then the limit, however its clock differs from the loop's."""
    assert list_failing_starts(skew, 4 * SECOND) == [NOW] * 3
    equal, apart = (list_failing_starts(each, 40 * MINUTE) for each in (timedelta(), skew))
    assert len(equal) == 9
    assert len(apart) <= len(equal)


def test_an_outcome_that_ended_before_it_began_stops_nobody() -> None:
    """Field case 17: in the loop it ended when it began. Deciding alone, that row is refused by name."""
    world = World(make_preset(desired_instances=1), make_preset(id="q", desired_instances=1))
    late = BuildReports(world.store, clock=ManualClock(NOW - SECOND))
    world.reconcile()
    for build_id in tuple(world.builder.taken):
        late.fail(build_id)
    assert [build.finished_at for build in world.list_builds()] == [NOW, NOW]
    result = world.reconcile()
    assert result.plan is not None
    assert [[action.backoff_until for action in decision.actions] for decision in result.plan] == [[NOW + MINUTE]] * 2
    with pytest.raises(InvalidValueError, match=r"^Build\.finished_at: .*; it must be an instant from created_at on"):
        Build(id="b", preset_id="p", status=BuildStatus.FAILED, created_at=NOW, finished_at=NOW - SECOND)


# 18. Changed under its id.


def test_a_preset_that_changed_under_its_id_serves_no_older_prebuild() -> None:
    """Field case 18: the old prebuilds expire and are replaced. A claim in between misses; it never gets an old one."""
    world = World(make_preset(**V1_EU))
    world.fill()
    old = [workspace.id for workspace in world.list_prebuilds()]
    world.put(make_preset(**V2_US))
    assert world.claim() == Claim(preset_id="p", reason=MissReason.NONE_ELIGIBLE)
    result = world.reconcile()
    assert result.plan is not None
    assert "expired, made by version v1, the preset is at v2" in result.plan.explain()
    assert list_deletes(world) == [(workspace_id, "v1") for workspace_id in old]
    world.builder.finish()
    made = world.list_prebuilds()
    assert [(row.last_build.template_version_id, row.parameters) for row in made] == [("v2", (("region", "us"),))] * 2
    claimed = world.claim().workspace
    assert claimed is not None
    assert claimed.parameters == (("region", "us"),)


def test_a_preset_with_new_parameters_serves_no_older_prebuild() -> None:
    """Field case 18: the version is the same, and what it makes is not."""
    world = World(make_preset(**V1_EU))
    world.fill()
    world.put(make_preset(**{**V1_EU, "parameters": {"region": "us"}}))
    assert world.claim().workspace is None
    result = world.reconcile()
    assert result.plan is not None
    assert "expired, made with other parameters than the preset has now" in result.plan.explain()


# 19. Submitted again after a change.


def test_a_start_is_submitted_again_as_it_was_requested() -> None:
    """Field case 19: the same build id, the version and the parameters of before, never a mixture."""
    world = World(make_preset(desired_instances=1, **V1_EU))
    world.builder.error = TimeoutError("no answer")
    world.reconcile()
    (waiting,) = world.list_prebuilds()
    world.builder.error = None
    world.put(make_preset(desired_instances=1, **V2_US))
    world.clock.advance(10 * MINUTE)
    world.reconcile()
    request, version = world.builder.taken[waiting.last_build.id]
    assert (request.template_version_id, version, dict(request.parameters)) == ("v1", "v1", {"region": "eu"})


def test_a_start_of_unknown_parameters_is_canceled_once_its_preset_has_changed() -> None:
    """Field case 19: rows of the version before do not know; while the preset is the same, its parameters are right."""
    for version, is_submitted in (("v1", True), ("v2", False)):
        world = World(make_preset(desired_instances=1, **V1_EU))
        world.builder.error = TimeoutError("no answer")
        world.reconcile()
        (waiting,) = world.list_prebuilds()
        world.builder.error = None
        with world.store.transaction() as tx:
            tx.rows.put_workspaces([attrs.evolve(waiting, parameters=None)])  # type: ignore[attr-defined]
        world.put(make_preset(desired_instances=1, template_version=make_version(version), parameters={"region": "eu"}))
        world.clock.advance(10 * MINUTE)
        world.reconcile()
        assert (waiting.last_build.id in world.builder.taken) == is_submitted
        status = world.get(waiting.id).last_build.status
        assert status is (BuildStatus.PENDING if is_submitted else BuildStatus.CANCELED)


# 20. Invalidated tonight.


def test_an_invalidation_in_the_future_waits_for_its_instant() -> None:
    """Field case 20: nothing expires before it, and at it what was created before goes, once."""
    tonight = NOW.replace(hour=22, minute=0)
    world = World(make_preset(last_invalidated_at=tonight))
    world.fill()
    result = world.reconcile()
    assert (result.done, result.next_change_at) == ((), tonight)
    world.clock.advance(tonight - timedelta.resolution - world.clock.now())
    assert world.reconcile().done == ()
    world.clock.advance(timedelta.resolution)
    world.reconcile()
    world.builder.finish()
    assert (len(list_deletes(world)), len(list_starts(world))) == (2, 4)
    world.clock.advance(HOUR)
    assert (world.reconcile().done, world.reconcile().next_change_at) == ((), None)


def test_an_invalidation_covers_what_is_there_when_it_commits() -> None:
    """Field case 20: also what was created at that very instant, or by a clock that is ahead of the caller's."""
    for behind in (timedelta(), 10 * MINUTE):
        world = World(make_preset())
        world.reconcile()
        world.builder.finish()
        world.controls._clock = ManualClock(NOW - behind)
        world.controls.invalidate("p")
        world.clock.advance(SECOND)
        assert world.claim().workspace is None
        world.reconcile()
        assert (len(list_deletes(world)), len(list_starts(world))) == (2, 4)


# 21. A quota as large as the pool.


class QuotaBuilder:
    """Builds take five minutes and deletes six. What exists or is being deleted counts towards a quota of ten."""

    def __init__(self, reports: BuildReports, clock: ManualClock) -> None:
        self._reports = reports
        self._clock = clock
        self._there: set[str] = set()
        self._ends: dict[str, tuple[datetime, BuildRequest]] = {}
        self.refused = 0

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        is_start = request.transition is Transition.START
        if is_start and len(self._there) >= 10:
            self.refused += 1
            raise NoRoomError("10 of 10 workspaces are used")
        if is_start:
            self._there.add(request.workspace_id)
        takes = 5 * MINUTE if is_start else (6 * MINUTE if request.workspace_id in self._there else timedelta())
        self._ends.setdefault(request.build_id, (self._clock.now() + takes, request))

    def get_next_end(self) -> datetime:
        return min((at for at, _ in self._ends.values()), default=datetime.max.replace(tzinfo=NOW.tzinfo))

    def finish_due(self) -> None:
        for build_id, (at, request) in tuple(self._ends.items()):
            if at <= self._clock.now():
                del self._ends[build_id]
                self._reports.begin(build_id)
                self._reports.succeed(build_id)
                self._reports.make_ready(request.workspace_id)
                self._there -= {request.workspace_id} if request.transition is Transition.DELETE else set()


def test_a_quota_as_large_as_the_pool_leaves_the_pool_alive() -> None:
    """Field case 21: creates wait until the deletes that make room have ended. After twelve hours ten are ready."""
    world = World(make_preset(desired_instances=10, ttl=8 * HOUR))
    builder = QuotaBuilder(world.reports, world.clock)
    world.builder = world.reconciler._passes._builder = builder  # type: ignore[assignment]
    held = []
    while world.clock.now() < NOW + 12 * HOUR:
        builder.finish_due()
        result = world.reconcile()
        assert not result.failed
        held += result.select(OutcomeStatus.HELD)
        assert len(held) <= 1  # rather than to go on for ever, where each pass asks for room
        until = min(builder.get_next_end(), result.next_change_at or NOW + 12 * HOUR, NOW + 12 * HOUR)
        world.clock.advance(max(until - world.clock.now(), timedelta.resolution))
    assert [(row.ready, row.is_running) for row in world.list_prebuilds()] == [(True, True)] * 10
    (preset,) = world.list_presets()
    assert preset.prebuild_status is PrebuildStatus.HEALTHY
    assert len(held) == builder.refused == 1
    assert held[0].reason == "there is no room: 10 of 10 workspaces are used"
    assert {build.status for build in world.list_builds()} == {BuildStatus.SUCCEEDED}


def test_a_preset_without_deletes_waits_an_interval_for_room() -> None:
    """Field case 21: it is neither limited nor does it back off, and tries once in a while until there is room."""
    world = World(make_preset(desired_instances=3))
    world.builder.error = NoRoomError()
    for minute in range(10):
        result = world.reconcile()
        world.builder.error, error = None, world.builder.error
        world.reconcile()  # for any messages meanwhile, and to delete the canceled start
        world.builder.finish()
        world.builder.error = error
        held = [outcome.reason for outcome in result.select(OutcomeStatus.HELD)]
        assert held == ["there is no room"]
        assert result.next_change_at == NOW + (minute + 1) * MINUTE
        world.clock.advance(MINUTE)
    world.builder.error = None
    world.reconcile()
    world.builder.finish()
    assert [row.ready for row in world.list_prebuilds()] == [True] * 3


# 22. Mended under the same id.


def test_a_version_that_was_fixed_under_the_same_id_starts_at_once() -> None:
    """Field case 22: what the version before did counts no more, until that is put back."""
    world = World(make_preset(**V1_EU))
    fail_until_limited(world)
    assert world.list_presets()[0].prebuild_status is PrebuildStatus.HARD_LIMITED
    before = len(list_starts(world))
    world.put(make_preset(**V2_US))
    world.reconcile()
    assert len(list_starts(world)) == before + 2
    world.builder.finish()
    world.put(make_preset(**V1_EU))
    world.reconcile()
    assert len(list_starts(world)) == before + 2


# 23. Died elsewhere.


def test_a_prebuild_that_died_elsewhere_is_replaced_and_never_claimed() -> None:
    """Field case 23: two are eligible at once, a delete and a create follow, and a second report is harmless."""
    world = World(make_preset(desired_instances=3))
    world.fill()
    lost, *others = [row.id for row in world.list_prebuilds()]
    assert world.reports.lose(lost)
    assert not world.reports.lose(lost)
    claimed = [claim.workspace and claim.workspace.id for claim in map(world.claim, "abc")]
    assert claimed == [*others, None]
    world.reconcile()
    assert list_deletes(world) == [(lost, "v1")]
    assert len(list_starts(world)) == 6
    world.builder.finish()
    assert world.get(lost).deleted
    assert not world.reports.make_ready(lost)


def test_a_claimed_workspace_that_is_reported_lost_stays_its_owners() -> None:
    """Field case 23."""
    world = World()
    world.fill()
    claimed = world.claim().workspace
    assert claimed is not None
    assert not world.reports.lose(claimed.id)
    assert not world.reports.make_unready(claimed.id)
    assert world.get(claimed.id) == claimed
    assert not world.reports.lose("unknown")


def test_a_start_that_is_lost_is_replaced_at_once() -> None:
    """Field case 23: it fills no place and is deleted, though nobody will ever report on it."""
    world = World(make_preset(desired_instances=1))
    world.reconcile()
    (starting,) = world.list_prebuilds()
    assert world.reports.lose(starting.id)
    world.reconcile()
    assert [workspace_id for workspace_id, _ in list_starts(world)] == [starting.id, world.list_prebuilds()[-1].id]
    assert [workspace_id for workspace_id, _ in list_deletes(world)] == [starting.id]
    assert world.list_builds() == []


def test_a_prebuild_that_is_unready_for_a_while_keeps_its_place() -> None:
    """Users get others until it is ready again; nothing is created beyond the target."""
    world = World(make_preset(desired_instances=1))
    world.fill()
    (only,) = world.list_prebuilds()
    assert world.reports.make_unready(only.id)
    assert not world.reports.make_unready(only.id)
    assert world.claim().workspace is None
    assert world.reconcile().done == ()
    assert world.reports.make_ready(only.id)
    assert world.claim().workspace == attrs.evolve(only, owner_id="ann", name="dev")


def test_a_prebuild_can_be_retired() -> None:
    """By a person, who hears of a workspace that is not there, and of one that is somebody's."""
    world = World(make_preset(desired_instances=1))
    world.fill()
    (only,) = world.list_prebuilds()
    assert world.controls.retire(only.id)
    assert not world.controls.retire(only.id)
    world.reconcile()
    world.builder.finish()
    assert world.get(only.id).deleted
    claimed = world.claim().workspace
    assert claimed is not None
    with pytest.raises(WrongOwnerError, match=r"^the workspace '\w+' is of the user ann: release it instead$"):
        world.controls.retire(claimed.id)
    with pytest.raises(UnknownWorkspaceError, match=r"^there is no workspace with the id 'ghost'$"):
        world.controls.retire("ghost")


# 24. The user is done.


def test_a_workspace_that_its_user_releases_is_deleted_and_its_name_is_free() -> None:
    """Field case 24: by a build of the version that made it; the same name gets another workspace at once."""
    world = World()
    world.fill()
    first = world.claim("dev", request_id="r-1").workspace
    assert first is not None
    assert world.controls.release(first.id)
    assert not world.controls.release(first.id)
    second = world.claim("dev").workspace
    assert second is not None
    assert (second.name, second.id == first.id) == ("dev", False)
    assert world.claim("dev", request_id="r-1") == Claim(preset_id="p", reason=MissReason.RELEASED, is_repeated=True)
    world.reconcile()
    assert list_deletes(world) == [(first.id, "v1")]
    world.builder.finish()
    assert (world.get(first.id).deleted, world.get(first.id).owner_id) == (True, PREBUILDS_USER_ID)


def test_a_workspace_that_the_host_deletes_itself_is_forgotten() -> None:
    """Field case 24: no build is made for it, and its name is free."""
    world = World()
    world.fill()
    first = world.claim("dev", request_id="r-1").workspace
    assert first is not None
    assert world.controls.forget(first.id)
    assert not world.controls.forget(first.id)
    assert world.get(first.id) == attrs.evolve(first, deleted=True)
    assert world.claim("dev").workspace is not None
    assert world.claim("dev", request_id="r-1").reason is MissReason.RELEASED
    world.reconcile()
    assert list_deletes(world) == []


def test_a_prebuild_can_be_neither_released_nor_forgotten() -> None:
    """No user has it. An unknown workspace is reported as unknown."""
    world = World(make_preset(desired_instances=1))
    world.fill()
    (only,) = world.list_prebuilds()
    for end in (world.controls.release, world.controls.forget):
        with pytest.raises(WrongOwnerError, match=r"is a prebuild that nobody has claimed: retire it instead$"):
            end(only.id)
        with pytest.raises(UnknownWorkspaceError):
            end("ghost")
    assert world.list_prebuilds() == [only]


# 25. After an outage.


def make_fleet_of_two_templates() -> list[Preset]:
    other = make_version(template=attrs.evolve(make_version().template, id="u"))
    versions = [make_version()] * 15 + [other] * 5
    return [
        make_preset(id=f"p{number:02}", desired_instances=1, template_version=version)
        for number, version in enumerate(versions)
    ]


@pytest.mark.parametrize(("template_id", "freed"), [(None, 20), ("t", 15), ("u", 5), ("x", 0)])
def test_all_presets_are_reset_at_once(template_id: str | None, freed: int) -> None:
    """Field case 25: all that are limited, or those of one template, create again at once."""
    world = World(*make_fleet_of_two_templates())
    fail_until_limited(world)
    before = len(list_starts(world))
    assert len(world.controls.reset_all(template_id=template_id)) == freed
    world.reconcile()
    assert len(list_starts(world)) - before == freed
    marks = [preset.prebuild_status for preset in world.list_presets()]
    assert marks.count(PrebuildStatus.HEALTHY) == freed


def test_a_reset_ends_the_backoff_and_leaves_the_hosts_own_mark() -> None:
    """Earlier failures no longer count, even if a fast clock dated them. Only the host removes VALIDATION_FAILED."""
    world = World(make_preset(prebuild_status=PrebuildStatus.VALIDATION_FAILED))
    world.reconcile()
    world.builder.finish(succeed=False)
    world.controls._clock = ManualClock(NOW - HOUR)
    world.controls.reset("p")
    world.reconcile()
    assert len(list_starts(world)) == 4
    fail_until_limited(world)
    assert world.list_presets()[0].prebuild_status is PrebuildStatus.VALIDATION_FAILED


# 31. The host restarts in the middle of builds.


def test_builds_that_a_restart_of_the_host_lost_are_replaced_at_once() -> None:
    """Field case 31: three new starts, no backoff, no limit, and nothing stays starting."""
    world = World(make_preset(desired_instances=3))
    world.reconcile()
    begun = tuple(world.builder.taken)
    for build_id in begun:
        world.reports.begin(build_id)
    assert [world.reports.cancel(build_id) for build_id in begun] == [True] * 3
    assert not world.reports.cancel(begun[0])
    result = world.reconcile()
    assert result.plan is not None
    assert [action.create for action in result.plan.decisions[0].actions] == [3]
    assert (len(list_starts(world)), len(list_deletes(world))) == (6, 3)
    world.builder.finish()
    assert [row.ready for row in world.list_prebuilds()] == [True] * 3
    assert {build.status for build in world.list_builds()} == {BuildStatus.SUCCEEDED}
