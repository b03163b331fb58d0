"""Builds: they begin and end once, and a workspace becomes ready once it runs."""

from __future__ import annotations

import attrs

from prebuilds.decision.models import BuildStatus
from prebuilds.runtime.models import Workspace
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.requests import WEB, at, delete_one, request_delete
from prebuilds.testing.contracts.equipment.scenes import (
    Stage,
    add,
    expected_workspace,
    finish,
    list_outcomes,
    put_all_stages,
    put_one,
    put_presets,
)
from prebuilds.testing.contracts.equipment.stage_calls import expect_change, get_workspace
from prebuilds.testing.contracts.equipment.threads import race

CHECKS: list[StoreCheck] = []


def _evolve_build(workspace: Workspace, **changes: object) -> Workspace:
    return attrs.evolve(workspace, last_build=attrs.evolve(workspace.last_build, **changes))  # type: ignore[arg-type]


@store_check(
    CHECKS,
    "BuildWrites.mark_submitted",
    "Note that the host's builder has taken these builds; unknown ids are ignored.",
)
def a_build_is_marked_submitted(lab: Lab) -> None:
    put_one(lab.store, "w", Stage.PENDING)
    expected = _evolve_build(expected_workspace("w"), submitted=True)
    for _ in range(2):
        with lab.store.transaction() as tx:
            tx.mark_submitted(["w-1", "unknown"])
        with lab.store.transaction(read_only=True) as tx:
            expect(tx.get_workspace("w"), expected, "the workspace, its build being submitted,")


@store_check(
    CHECKS,
    "BuildWrites.begin_build",
    "Move a build from PENDING to RUNNING. Returns False if it is not PENDING, for example canceled.",
)
def only_a_pending_build_begins(lab: Lab) -> None:
    put_all_stages(lab.store)
    for stage in Stage:
        with lab.store.transaction() as tx:
            before = get_workspace(tx, stage.value)
            is_pending = stage in (Stage.PENDING, Stage.DELETE_PENDING)
            what = f"of a workspace that is {stage.value}"
            expect(
                tx.begin_build(before.last_build.id, now=at(400)), is_pending, f"begin_build() of the last build {what}"
            )
            expected = _evolve_build(before, status=BuildStatus.RUNNING) if is_pending else before
            expect(tx.get_workspace(stage.value), expected, f"after begin_build() {what}, the workspace")
    with lab.store.transaction() as tx:
        expect(tx.begin_build("unknown", now=at(400)), False, "begin_build() of a build that is not there")


@store_check(CHECKS, "BuildWrites.finish_build", "Move a build that is PENDING or RUNNING to this final status.")
def a_build_ends(lab: Lab) -> None:
    put_presets(lab.store, WEB)
    ends = [status for status in BuildStatus if status.is_final]
    for number, (stage, status) in enumerate((stage, end) for stage in (Stage.PENDING, Stage.BEGUN) for end in ends):
        name = f"w{number}"
        with lab.store.transaction() as tx:
            add(tx, name, stage)
        with lab.store.transaction() as tx:
            seen = tx.finish_build(f"{name}-1", status, now=at(60))
        expected = _evolve_build(expected_workspace(name), status=status, finished_at=at(60))
        expect(seen, expected, f"finish_build(), {status.value}, of a build that was {stage.value}")
        with lab.store.transaction(read_only=True) as tx:
            expect(tx.get_workspace(name), expected, "the workspace, its build having ended,")


@store_check(
    CHECKS,
    "BuildWrites.finish_build",
    "A start of a workspace that was given up ends CANCELED, whatever the status.",
)
def a_start_that_was_given_up_ends_canceled(lab: Lab) -> None:
    put_presets(lab.store, WEB)
    for status in (BuildStatus.SUCCEEDED, BuildStatus.FAILED):
        with lab.store.transaction() as tx:
            add(tx, status.value, Stage.BEGUN)
            tx.retire_prebuild(status.value)
        with lab.store.transaction() as tx:
            tx.finish_build(f"{status.value}-1", status, now=at(60))
        with lab.store.transaction(read_only=True) as tx:
            build = get_workspace(tx, status.value).last_build
            expect(build.status, BuildStatus.CANCELED, f"the status of a start, given up, that ended {status.value},")
            expect(list_outcomes(tx), [], "list_builds(), of starts that were given up")


@store_check(
    CHECKS,
    "BuildWrites.finish_build",
    "Does nothing and returns None if the build does not exist or has already ended.",
)
def a_build_ends_once(lab: Lab) -> None:
    put_one(lab.store, "w", Stage.DELETE_BEGUN)
    with lab.store.transaction() as tx:
        tx.finish_build("w-2", BuildStatus.FAILED, now=at(200))
        before = get_workspace(tx, "w")
    for build_id in ("w-1", "w-2", "unknown"):
        with lab.store.transaction() as tx:
            seen = tx.finish_build(build_id, BuildStatus.SUCCEEDED, now=at(300))
            expect(seen, None, f"finish_build({build_id!r}), for the second time,")
            expect(tx.get_workspace("w"), before, "the workspace after finish_build() that had nothing to do")


@store_check(
    CHECKS,
    "BuildWrites.finish_build",
    "`now` may come from a clock behind the one that began the build: the build then ends when it began, as "
    "in `end_build`.",
)
def no_build_ends_before_it_began(lab: Lab) -> None:
    put_one(lab.store, "w", Stage.PENDING)
    with lab.store.transaction() as tx:
        seen = tx.finish_build("w-1", BuildStatus.FAILED, now=at(-1))
        expected = _evolve_build(expected_workspace("w"), status=BuildStatus.FAILED, finished_at=at(0))
        expect(seen, expected, "finish_build() by a clock that is a second behind")
    with lab.store.transaction(read_only=True) as tx:
        ends = [(build.id, build.finished_at) for build in list_outcomes(tx)]
    expect(ends, [("w-1", at(0))], "the build and its end, in the builds,")


@store_check(CHECKS, "BuildWrites", "A build moves from PENDING through RUNNING to a final status, and never back.")
def only_one_of_many_reports_counts(lab: Lab) -> None:
    def report() -> bool:
        with lab.store.transaction() as tx:
            return tx.finish_build("w-1", BuildStatus.FAILED, now=at(60)) is not None

    put_one(lab.store, "w", Stage.BEGUN)
    expect(race([report] * 8).count(True), 1, "8 threads ended one build, and finish_build() was not None so often")


@store_check(
    CHECKS,
    "BuildWrites.finish_build",
    "A delete that SUCCEEDED marks its workspace deleted; one that FAILED adds to its `failed_deletes`.",
)
def a_delete_that_ends_tells(lab: Lab) -> None:
    put_one(lab.store, "w", Stage.READY)
    ends = (BuildStatus.FAILED, BuildStatus.FAILED, BuildStatus.SUCCEEDED)
    for number, status in enumerate(ends, 2):
        with lab.store.transaction() as tx:
            delete_one(tx, request_delete("w", number), now=at(number * 100))
            before = get_workspace(tx, "w")
            seen = finish(tx, f"w-{number}", status, seconds=number * 100 + 50)
        is_done = status is BuildStatus.SUCCEEDED
        expected = _evolve_build(before, status=status, finished_at=at(number * 100 + 50))
        expected = attrs.evolve(expected, deleted=is_done, failed_deletes=2 if is_done else number - 1)
        expect(seen, expected, f"the workspace, its delete number {number - 1} having {status.value},")
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.read_rows().prebuilds, [], "the prebuilds, when the only one has been deleted,")


@store_check(
    CHECKS,
    "BuildWrites.mark_ready",
    "Note that a running workspace is ready for a user. Returns the changed workspace. Does nothing and "
    "returns None if it is not running or already ready.",
)
def only_a_running_workspace_becomes_ready(lab: Lab) -> None:
    expect_change(
        lab.store,
        "mark_ready",
        Stage.RUNNING,
        call=lambda tx, name: tx.mark_ready(name),
        change=lambda workspace: attrs.evolve(workspace, ready=True),
    )
