"""Creating prebuilds: only of an active preset and its version, and only once; also when it fails."""

from __future__ import annotations

import attrs

from prebuilds.decision.models import Build, BuildStatus
from prebuilds.runtime.models import BuildRequest
from prebuilds.runtime.ports import Store
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.overtaking import expect_no_promotion_during
from prebuilds.testing.contracts.equipment.requests import (
    CANDIDATE,
    DATA,
    INACTIVE,
    WEB,
    at,
    insert_one,
    make_preset,
    request_start,
)
from prebuilds.testing.contracts.equipment.scenes import (
    IS_PREBUILD,
    Stage,
    add,
    expected_workspace,
    finish,
    list_ids,
    list_outcomes,
    put_all_stages,
    put_presets,
)

CHECKS: list[StoreCheck] = []
_PINNED = (
    "Compare and set: leaves out a start unless its preset exists, is active or a candidate, and has the version that "
    "the start names."
)


@store_check(
    CHECKS,
    "WorkspaceWrites.insert_prebuilds",
    "Add workspaces of the prebuilds user, each with its first build, as the starts ask.",
)
def a_prebuild_is_added_whole(lab: Lab) -> None:
    preset = attrs.evolve(WEB, parameters={"size": "large"})
    with lab.store.transaction() as tx:
        tx.put_preset(preset)
        added = insert_one(tx, request_start("w", preset), name="name of w", now=at(0))
        expect(added, True, "insert_prebuilds()")
        expect(tx.get_workspace("w"), expected_workspace("w", preset), "the workspace, before the commit,")
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.get_workspace("w"), expected_workspace("w", preset), "the workspace, after the commit,")
        expect(tx.read_rows().prebuilds, [expected_workspace("w", preset)], "the prebuilds")


@store_check(
    CHECKS,
    "WorkspaceWrites.insert_prebuilds",
    "A workspace keeps the parameters of its start, so that the same build can be requested again.",
)
def a_prebuild_keeps_its_requested_parameters(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        for number, parameters in enumerate(({}, {"size": "large", "region": "eu"})):
            tx.put_preset(WEB)
            request = attrs.evolve(request_start(f"w{number}"), parameters=parameters)
            insert_one(tx, request, name="w", now=at(0))
            tx.put_preset(attrs.evolve(WEB, parameters={"size": "small"}))
            workspace = tx.get_workspace(request.workspace_id)
            expect(workspace and workspace.parameters, request.parameters, "the parameters of the workspace")


@store_check(CHECKS, "WorkspaceWrites", "A build is added as PENDING and not submitted.")
def a_new_build_is_pending(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        add(tx, "start", Stage.PENDING)
        add(tx, "delete", Stage.DELETE_PENDING)
        for workspace in tx.read_rows().prebuilds:
            build = workspace.last_build
            expect((build.status, build.submitted), (BuildStatus.PENDING, False), f"the build {build.id}")


def _expect_refused(store: Store, request: BuildRequest, what: str) -> None:
    with store.transaction() as tx:
        before = sorted(map(repr, tx.read_rows().prebuilds))
        expect(insert_one(tx, request, name="another", now=at(9)), False, f"insert_prebuilds() {what}")
        expect(sorted(map(repr, tx.read_rows().prebuilds)), before, f"the prebuilds, after insert_prebuilds() {what},")
    with store.transaction(read_only=True) as tx:
        expect(sorted(map(repr, tx.read_rows().prebuilds)), before, f"the prebuilds, after insert_prebuilds() {what},")


@store_check(CHECKS, "WorkspaceWrites.insert_prebuilds", _PINNED)
def no_prebuild_without_its_preset(lab: Lab) -> None:
    put_presets(lab.store, DATA)
    _expect_refused(lab.store, request_start("w"), "of a preset that is not there")


@store_check(CHECKS, "WorkspaceWrites.insert_prebuilds", _PINNED)
def no_prebuild_of_an_inactive_preset(lab: Lab) -> None:
    for preset in INACTIVE:
        put_presets(lab.store, preset)
        _expect_refused(lab.store, request_start("w"), "of an inactive preset")


@store_check(CHECKS, "WorkspaceWrites.insert_prebuilds", "is active or a candidate")
def a_candidate_gets_prebuilds(lab: Lab) -> None:
    put_presets(lab.store, CANDIDATE)
    with lab.store.transaction() as tx:
        added = insert_one(tx, request_start("w", CANDIDATE), name="w", now=at(0))
        expect(added, True, "insert_prebuilds() of a candidate")
    with lab.store.transaction(read_only=True) as tx:
        expect(list_ids(tx), ["w"], "the ids of the prebuilds of a candidate")


@store_check(CHECKS, "WorkspaceWrites.insert_prebuilds", _PINNED)
def no_prebuild_of_another_version(lab: Lab) -> None:
    put_presets(lab.store, make_preset("web", "v2"))
    _expect_refused(lab.store, request_start("w"), "of the version v1, of a preset of the version v2")


@store_check(
    CHECKS,
    "WorkspaceWrites.insert_failed_build",
    "Record that a prebuild could not be added, or missed a deadline: a start build of the preset that began at "
    "`begun_at`, or else at `now`, and failed at `now` with this message, without a workspace.",
)
def a_create_that_failed_is_noted(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.insert_failed_build(request_start("w"), now=at(0))
        tx.insert_failed_build(request_start("late"), now=at(0), begun_at=at(-60))
    failed = Build(
        id="w-1",
        preset_id="web",
        template_version_id="v1",
        status=BuildStatus.FAILED,
        created_at=at(0),
        finished_at=at(0),
    )
    with lab.store.transaction(read_only=True) as tx:
        late = attrs.evolve(failed, id="late-1", created_at=at(-60))
        expect(list_outcomes(tx), [late, failed], "the builds")
        expect(tx.get_workspace("w"), None, "the workspace of a create that failed")
        expect(tx.read_rows().prebuilds, [], "the prebuilds")


@store_check(
    CHECKS,
    "WorkspaceWrites.insert_prebuilds",
    "Also leaves out a start if a workspace or a build with one of its ids exists.",
)
def no_prebuild_is_added_twice(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        add(tx, "gone", Stage.DELETED)
        add(tx, "w", Stage.PENDING)
        tx.insert_failed_build(request_start("never", build_id="never-1"), now=at(0))
    _expect_refused(lab.store, request_start("w"), "of the same request again")
    _expect_refused(lab.store, request_start("w", build_id="new"), "with the id of a workspace that is there")
    _expect_refused(lab.store, request_start("gone", build_id="new"), "with the id of a workspace that is deleted")
    for build_id in ("w-1", "gone-1", "gone-2", "never-1"):
        _expect_refused(lab.store, request_start("new", build_id=build_id), f"with the id of the build {build_id}")


@store_check(
    CHECKS,
    "WorkspaceWrites.insert_prebuilds",
    "A transaction that would change this waits until this one has ended, or makes it fail.",
)
def no_promotion_overtakes_a_create(lab: Lab) -> None:
    put_presets(lab.store, WEB)
    expect_no_promotion_during(lab.store, lambda tx: insert_one(tx, request_start("w"), name="w", now=at(0)), "create")


@store_check(CHECKS, "WorkspaceWrites.get_workspace", "The workspace, claimed or not, deleted or not")
def any_workspace_can_be_read(lab: Lab) -> None:
    put_all_stages(lab.store)
    with lab.store.transaction(read_only=True) as tx:
        seen = [workspace and workspace.id for workspace in (tx.get_workspace(stage.value) for stage in Stage)]
        expect(seen, [stage.value for stage in Stage], "the ids of workspaces at each stage")
        expect(tx.get_workspace("unknown"), None, "get_workspace() of an id that never was")


@store_check(
    CHECKS,
    "FleetReads.read_rows",
    "every workspace of the prebuilds user that is not deleted, in any state of its last build",
)
def prebuilds_are_listed_at_every_stage(lab: Lab) -> None:
    put_all_stages(lab.store)
    with lab.store.transaction(read_only=True) as tx:
        expect(list_ids(tx), sorted(stage.value for stage in IS_PREBUILD), "the ids of the prebuilds")
        for workspace in tx.read_rows().prebuilds:
            expect(workspace, tx.get_workspace(workspace.id), f"{workspace.id} among the prebuilds")


@store_check(CHECKS, "FleetReads.read_rows", "Rows of other presets are left out")
def prebuilds_of_one_preset_can_be_listed(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.put_preset(DATA)
        add(tx, "w", Stage.READY)
        add(tx, "d", Stage.READY, DATA)
        expect(list_ids(tx, "data"), ["d"], "the ids of the prebuilds of `data`")
        expect(list_ids(tx, "unknown"), [], "the ids of the prebuilds of an unknown preset")


@store_check(CHECKS, "WorkspaceWrites.insert_failed_build", "Does nothing if a build with this id exists.")
def a_create_that_failed_is_noted_once(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        add(tx, "w", Stage.BEGUN)
        tx.insert_failed_build(request_start("new", build_id="w-1"), now=at(200))
        for seconds in (0, 100):
            tx.insert_failed_build(request_start("f"), now=at(seconds))
        finish(tx, "w-1", seconds=300)
        seen = [(build.id, build.status, build.finished_at) for build in list_outcomes(tx)]
    expected = [("f-1", BuildStatus.FAILED, at(0)), ("w-1", BuildStatus.SUCCEEDED, at(300))]
    expect(seen, expected, "the builds")
