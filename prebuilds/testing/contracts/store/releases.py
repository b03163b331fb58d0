"""Prebuilds that are given up, and claimed workspaces that are released or forgotten."""

from __future__ import annotations

import attrs

from prebuilds.runtime.models import PREBUILDS_USER_ID, Workspace
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.overtaking import do_both
from prebuilds.testing.contracts.equipment.requests import WEB, request_claim
from prebuilds.testing.contracts.equipment.scenes import (
    IS_PREBUILD,
    Stage,
    add,
    add_ready,
    list_ids,
    put_ready,
    take_in,
)
from prebuilds.testing.contracts.equipment.stage_calls import expect_change

CHECKS: list[StoreCheck] = []
_UNLESS_CLAIMED = "Returns the changed workspace. Does nothing and returns None unless it is claimed and not deleted."
_FREE = "name is free again."


@store_check(
    CHECKS,
    "WorkspaceWrites.retire_prebuild",
    "Returns the changed workspace. Does nothing and returns None unless it is a prebuild that is neither "
    "deleted nor already given up.",
)
def only_a_prebuild_is_retired(lab: Lab) -> None:
    expect_change(
        lab.store,
        "retire_prebuild",
        *(stage for stage in IS_PREBUILD if stage not in (Stage.RETIRED, Stage.RELEASED)),
        call=lambda tx, name: tx.retire_prebuild(name),
        change=lambda workspace: attrs.evolve(workspace, retired=True, ready=False),
    )


@store_check(
    CHECKS,
    "WorkspaceWrites.retire_prebuild",
    "Give up a prebuild: from now on no user gets it, and it waits to be deleted.",
)
def no_user_gets_a_retired_prebuild(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        add_ready(tx, "given up", "other")
        tx.retire_prebuild("given up")
        expect(tx.mark_ready("given up"), None, "mark_ready() of what was given up")
    with lab.store.transaction() as tx:
        taken = [tx.take_prebuild(request_claim(user)) for user in ("alice", "bob")]
        expect([workspace and workspace.id for workspace in taken], ["other", None], "the ids taken in turn")
        expect(list_ids(tx), ["given up"], "the ids of the prebuilds")


@store_check(
    CHECKS,
    "WorkspaceWrites.retire_prebuild",
    "A prebuild that is being given up cannot be taken: one transaction waits for the other.",
)
def no_claim_overtakes_a_retirement(lab: Lab) -> None:
    def retire() -> Workspace | None:
        with lab.store.transaction() as tx:
            return tx.retire_prebuild("w")

    put_ready(lab.store, "v")
    _, taken = do_both(lab.store, lambda tx: tx.retire_prebuild("v"), lambda: take_in(lab.store, request_claim()))
    expect(taken, None, "a claim that began while the only prebuild was being given up got")
    with lab.store.transaction() as tx:
        add_ready(tx, "w")
    _, retired = do_both(lab.store, lambda tx: tx.take_prebuild(request_claim()), retire)
    expect(retired, None, "retire_prebuild() that began while the prebuild was being claimed")


@store_check(CHECKS, "WorkspaceWrites", _UNLESS_CLAIMED)
def only_a_claimed_workspace_is_released(lab: Lab) -> None:
    expect_change(
        lab.store,
        "release_workspace",
        Stage.CLAIMED,
        call=lambda tx, name: tx.release_workspace(name, name=f"{name} again"),
        change=lambda workspace: attrs.evolve(
            workspace, owner_id=PREBUILDS_USER_ID, name=f"{workspace.id} again", retired=True, ready=False
        ),
    )


@store_check(
    CHECKS,
    "WorkspaceWrites.release_workspace",
    "Take a workspace back from the user who claimed it: it belongs to the prebuilds user, under this name, "
    "and is given up.",
)
def no_user_gets_a_released_workspace(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        add(tx, "w", Stage.RELEASED)
        expect(list_ids(tx), ["w"], "the ids of the prebuilds")
        expect(tx.mark_ready("w"), None, "mark_ready() of what was released")
        expect(tx.take_prebuild(request_claim()), None, "take_prebuild(), when there is only what was released,")


@store_check(
    CHECKS,
    "WorkspaceWrites.forget_workspace",
    "Mark a claimed workspace deleted without a build, as the host has deleted it.",
)
def only_a_claimed_workspace_is_forgotten(lab: Lab) -> None:
    expect_change(
        lab.store,
        "forget_workspace",
        Stage.CLAIMED,
        call=lambda tx, name: tx.forget_workspace(name),
        change=lambda workspace: attrs.evolve(workspace, deleted=True),
    )


@store_check(CHECKS, "WorkspaceWrites", _FREE)
def the_name_of_an_ended_workspace_is_free(lab: Lab) -> None:
    put_ready(lab.store, "one", "two", "three")
    taken = []
    for _ in range(3):
        workspace = take_in(lab.store, request_claim(name="desk"))
        taken.append(workspace and workspace.id)
        with lab.store.transaction() as tx:
            tx.release_workspace("one", name="name of one")
            tx.forget_workspace("two")
    expect(taken, ["one", "two", "three"], "the ids that were given one name, the one before having ended,")


@store_check(
    CHECKS,
    "BuildWrites.mark_unready",
    "Note that a prebuild is no longer ready for a user. Returns the changed workspace. Does nothing and "
    "returns None unless it is a prebuild, not deleted, and was ready.",
)
def only_a_ready_prebuild_becomes_unready(lab: Lab) -> None:
    expect_change(
        lab.store,
        "mark_unready",
        *(Stage.READY, Stage.DELETE_PENDING, Stage.DELETE_BEGUN, Stage.DELETE_FAILED),
        call=lambda tx, name: tx.mark_unready(name),
        change=lambda workspace: attrs.evolve(workspace, ready=False),
    )
    with lab.store.transaction() as tx:
        ready = tx.mark_ready(Stage.READY.value)
        expect(ready and ready.ready, True, "mark_ready() of a prebuild that was made unready")
