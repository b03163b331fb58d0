"""Deleting prebuilds with the version that made them, and canceling those whose build has not begun."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.runtime.models import BuildRequest, Workspace, WorkspaceBuild
from prebuilds.runtime.ports import Store, Transaction
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import Mismatch, expect
from prebuilds.testing.contracts.equipment.overtaking import do_both
from prebuilds.testing.contracts.equipment.requests import (
    CANDIDATE,
    DATA,
    INACTIVE,
    WEB,
    at,
    delete_one,
    make_preset,
    request_claim,
    request_delete,
)
from prebuilds.testing.contracts.equipment.scenes import (
    IS_DELETABLE,
    Stage,
    add,
    list_ids,
    put_all_stages,
    put_one,
    take_in,
)
from prebuilds.testing.contracts.equipment.threads import insist

CHECKS: list[StoreCheck] = []
_GUARDED = (
    "Compare and set: leaves out a request unless its workspace exists, still belongs to the prebuilds user, is "
    "not deleted, and has no build that is PENDING or RUNNING."
)
_REACH = (
    "Touches a build only if it is the first of a prebuild, is PENDING, and its preset is neither active nor a "
    "candidate now. Returns the ids of the workspaces."
)


@store_check(CHECKS, "WorkspaceWrites.insert_deletes", "Add a delete build to each of several prebuilds.")
def a_delete_is_added_whole(lab: Lab) -> None:
    put_one(lab.store, "w", Stage.READY)
    with lab.store.transaction() as tx:
        before = tx.get_workspace("w")
        expect(delete_one(tx, request_delete("w"), now=at(90)), True, "insert_deletes()")
    build = WorkspaceBuild(
        id="w-2",
        number=2,
        transition=Transition.DELETE,
        status=BuildStatus.PENDING,
        template_version_id="v1",
        created_at=at(90),
    )
    with lab.store.transaction(read_only=True) as tx:
        expected = before and attrs.evolve(before, last_build=build)
        expect(tx.get_workspace("w"), expected, "the workspace with its delete")


@store_check(CHECKS, "WorkspaceWrites.insert_deletes", _GUARDED)
def only_deletable_prebuilds_are_deleted(lab: Lab) -> None:
    put_all_stages(lab.store)
    for stage in Stage:
        request = request_delete(stage.value, build_id=f"delete of {stage.value}")
        _expect_delete(lab.store, request, f"of a workspace that is {stage.value}", added=stage in IS_DELETABLE)
    _expect_delete(lab.store, request_delete("unknown"), "of a workspace that never was", added=False)


def _expect_delete(store: Store, request: BuildRequest, what: str, *, added: bool) -> None:
    with store.transaction() as tx:
        before = tx.get_workspace(request.workspace_id)
        expect(delete_one(tx, request, now=at(400)), added, f"insert_deletes() {what}")
    with store.transaction(read_only=True) as tx:
        after = tx.get_workspace(request.workspace_id)
    if added and after:
        expect(after.last_build.id, request.build_id, f"the last build after insert_deletes() {what}")
    else:
        expect(after, before, f"the workspace after insert_deletes() {what}")


@store_check(CHECKS, "WorkspaceWrites.insert_deletes", "Also leaves out a request if a build with its id exists.")
def a_delete_is_added_once(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        add(tx, "other", Stage.READY)
        add(tx, "w", Stage.DELETE_FAILED)
    _expect_delete(lab.store, request_delete("w"), "with the id of its own earlier build", added=False)
    _expect_delete(lab.store, request_delete("other", build_id="w-2"), "with the id of another's build", added=False)


@store_check(
    CHECKS,
    "WorkspaceWrites.insert_deletes",
    "Returns the versions that the added builds run with, by build id: those that `resolve_template_version` returns.",
)
def a_delete_runs_with_the_version_of_the_last_build(lab: Lab) -> None:
    put_one(lab.store, "w", Stage.READY)
    with lab.store.transaction() as tx:  # another version of the template is promoted
        tx.put_preset(make_preset(is_active=False))
        tx.put_preset(make_preset("new web", "v2"))
        delete_one(tx, request_delete("w"), now=at(100))
    expect(_get_version(lab.store), "v1", "the version of a delete, v2 having been promoted since,")
    with lab.store.transaction() as tx:
        tx.finish_build("w-2", BuildStatus.FAILED, now=at(110))
        delete_one(tx, request_delete("w", 3), now=at(120))
    expect(_get_version(lab.store), "v1", "the version of a second delete, after one that failed,")


def _get_version(store: Store) -> str | None:
    with store.transaction(read_only=True) as tx:
        workspace = tx.get_workspace("w")
    return workspace.last_build.template_version_id if workspace else None


@store_check(
    CHECKS,
    "WorkspaceWrites.insert_deletes",
    "A claim of it waits until this transaction has ended, or takes another.",
)
def no_claim_overtakes_a_delete(lab: Lab) -> None:
    put_one(lab.store, "w", Stage.READY)
    _, taken = do_both(
        lab.store,
        lambda tx: delete_one(tx, request_delete("w"), now=at(100)),
        lambda: take_in(lab.store, request_claim()),
    )
    expect(taken, None, "a claim that began while the only prebuild was being deleted got")


@store_check(CHECKS, "WorkspaceWrites.insert_deletes", _GUARDED)
def no_delete_overtakes_a_claim(lab: Lab) -> None:
    def delete() -> bool:
        with lab.store.transaction() as tx:
            return delete_one(tx, request_delete("w"), now=at(100))

    put_one(lab.store, "w", Stage.READY)
    _, added = do_both(lab.store, lambda tx: tx.take_prebuild(request_claim()), delete)
    expect(added, False, "insert_deletes() that began while the prebuild was being claimed")
    expect(insist(delete), False, "insert_deletes() of a prebuild that is claimed")


@store_check(CHECKS, "WorkspaceWrites.cancel_pending", _REACH)
def only_first_builds_that_wait_are_canceled(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.put_preset(DATA)
        add(tx, "data", Stage.PENDING, DATA)
        for stage in Stage:
            add(tx, stage.value, stage)
        add(tx, "pending too", Stage.PENDING)
    with lab.store.transaction() as tx:
        tx.put_preset(make_preset(is_active=False))
        expected = _read_all(tx)
        canceled = tx.cancel_pending("web", now=at(400))
    expect(sorted(canceled), ["pending", "pending too"], "the ids that cancel_pending() returned, sorted,")
    with lab.store.transaction(read_only=True) as tx:
        expected |= {name: _cancel(expected[name]) for name in canceled}
        for name, workspace in _read_all(tx).items():
            expect(workspace, expected[name], f"the workspace {name!r} after cancel_pending()")


def _read_all(tx: Transaction) -> dict[str, Workspace]:
    names = (*(stage.value for stage in Stage), "data", "pending too")
    found: Mapping[str, Workspace | None] = {name: tx.get_workspace(name) for name in names}
    return {name: workspace for name, workspace in found.items() if workspace}


def _cancel(workspace: Workspace) -> Workspace:
    build = attrs.evolve(workspace.last_build, status=BuildStatus.CANCELED, finished_at=at(400))
    return attrs.evolve(workspace, deleted=True, last_build=build)


@store_check(CHECKS, "WorkspaceWrites.cancel_pending", _REACH)
def nothing_of_an_active_preset_is_canceled(lab: Lab) -> None:
    put_one(lab.store, "w", Stage.PENDING)
    with lab.store.transaction() as tx:
        expect(tx.cancel_pending("web", now=at(1)), [], "cancel_pending() of an active preset")
        expect(tx.cancel_pending("unknown", now=at(1)), [], "cancel_pending() of a preset that is not there")
        expect(list_ids(tx), ["w"], "the ids of the prebuilds")


@store_check(CHECKS, "WorkspaceWrites.cancel_pending", "its preset is neither active nor a candidate now.")
def nothing_of_a_candidate_is_canceled(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(CANDIDATE)
        add(tx, "w", Stage.PENDING, CANDIDATE)
        expect(tx.cancel_pending("web", now=at(1)), [], "cancel_pending() of a candidate")
        expect(list_ids(tx), ["w"], "the ids of the prebuilds of a candidate")


@store_check(
    CHECKS,
    "WorkspaceWrites.cancel_pending",
    "Cancel the first builds of the preset's prebuilds that have not begun, and mark their workspaces deleted.",
)
def what_is_canceled_does_not_begin(lab: Lab) -> None:
    for number, inactive in enumerate(INACTIVE):
        name = f"w{number}"
        with lab.store.transaction() as tx:
            tx.put_preset(WEB)
            add(tx, name, Stage.PENDING)
            tx.put_preset(inactive)
        with lab.store.transaction() as tx:
            expect(tx.cancel_pending("web", now=at(1)), [name], "cancel_pending() of an inactive preset")
            expect(tx.cancel_pending("web", now=at(2)), [], "cancel_pending() for the second time")
        with lab.store.transaction() as tx:
            expect(tx.begin_build(f"{name}-1", now=at(3)), False, "begin_build() of a build that was canceled")
            expect(tx.finish_build(f"{name}-1", BuildStatus.SUCCEEDED, now=at(4)), None, "finish_build() of it")


@store_check(CHECKS, "WorkspaceWrites.cancel_pending", "that have not begun")
def a_build_that_begins_is_not_canceled(lab: Lab) -> None:
    def begin() -> bool:
        with lab.store.transaction() as tx:
            return tx.begin_build("w-1", now=at(1))

    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        add(tx, "w", Stage.PENDING)
        tx.put_preset(INACTIVE[0])
    canceled, has_begun = do_both(lab.store, lambda tx: tx.cancel_pending("web", now=at(2)), begin)
    if has_begun and canceled:
        raise Mismatch("a build was canceled by one transaction and begun by another at the same time")
