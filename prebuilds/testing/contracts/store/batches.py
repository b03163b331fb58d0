"""Several writes at once: creates, deletes, and taking back what the host's builder was never asked for."""

from __future__ import annotations

from prebuilds.runtime.models import NewPrebuild
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.requests import DATA, WEB, at, make_preset, request_delete, request_start
from prebuilds.testing.contracts.equipment.scenes import (
    Stage,
    add,
    expected_workspace,
    list_ids,
    put_all_stages,
    put_presets,
)
from prebuilds.testing.contracts.equipment.stage_calls import get_workspace

CHECKS: list[StoreCheck] = []
DATA_V2 = make_preset("data", "v2")
_VERSIONS = (
    "Returns the versions that the added builds run with, by build id: those that `resolve_template_version` returns."
)


@store_check(CHECKS, "WorkspaceWrites.insert_prebuilds", "Returns the ids of the builds that were added, in order.")
def prebuilds_are_added_together(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA, make_preset("old", "v0"))
    with lab.store.transaction() as tx:
        add(tx, "there", Stage.PENDING)
    requests = [
        request_start("w3"),
        request_start("there", build_id="again"),
        request_start("w1", DATA),
        request_start("another", build_id="there-1"),
        request_start("promoted", make_preset("old", "v1")),
        request_start("w2"),
        request_start("w2", build_id="twice"),
    ]
    prebuilds = [NewPrebuild(name=f"name of {request.workspace_id}", request=request) for request in requests]
    with lab.store.transaction() as tx:
        expect(list(tx.insert_prebuilds(prebuilds, now=at(0))), ["w3-1", "w1-1", "w2-1"], "insert_prebuilds()")
        expect(list(tx.insert_prebuilds([], now=at(0))), [], "insert_prebuilds() of none")
    with lab.store.transaction(read_only=True) as tx:
        expect(list_ids(tx), ["there", "w1", "w2", "w3"], "the ids of the prebuilds")
        expect(tx.get_workspace("w1"), expected_workspace("w1", DATA), "a workspace of several that were added")


@store_check(CHECKS, "WorkspaceWrites.insert_deletes", _VERSIONS)
def deletes_are_added_together(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.put_preset(WEB)
        tx.put_preset(DATA_V2)
        add(tx, "w", Stage.READY)
        add(tx, "d", Stage.READY, DATA_V2)
        add(tx, "busy", Stage.PENDING)
    requests = [
        request_delete("w"),
        request_delete("busy"),
        request_delete("w", build_id="twice"),
        request_delete("d"),
        request_delete("unknown"),
    ]
    with lab.store.transaction() as tx:
        expect(dict(tx.insert_deletes(requests, now=at(400))), {"w-2": "v1", "d-2": "v2"}, "insert_deletes()")
        expect(dict(tx.insert_deletes([], now=at(400))), {}, "insert_deletes() of none")
    with lab.store.transaction(read_only=True) as tx:
        builds = {name: get_workspace(tx, name).last_build.id for name in ("w", "d", "busy")}
        expect(builds, {"w": "w-2", "d": "d-2", "busy": "busy-1"}, "the last builds")


@store_check(
    CHECKS,
    "WorkspaceWrites.withdraw_prebuilds",
    "Remove prebuilds that were added and never handed to the host's builder, as if they had not been added.",
)
def what_was_withdrawn_can_be_added_again(lab: Lab) -> None:
    put_presets(lab.store, WEB)
    for _ in range(2):
        with lab.store.transaction() as tx:
            add(tx, "w", Stage.PENDING)
            expect(tx.get_workspace("w"), expected_workspace("w"), "the workspace, before it is withdrawn,")
            tx.withdraw_prebuilds(["w-1"])
        with lab.store.transaction(read_only=True) as tx:
            expect(list_ids(tx), [], "the ids of the prebuilds, after the withdrawal,")


@store_check(
    CHECKS,
    "WorkspaceWrites.withdraw_prebuilds",
    "Touches a prebuild only if the build is its first, is PENDING and not submitted, and ignores all other ids.",
)
def only_what_was_not_handed_over_is_withdrawn(lab: Lab) -> None:
    put_all_stages(lab.store)
    with lab.store.transaction() as tx:
        add(tx, "new", Stage.PENDING)
        add(tx, "submitted", Stage.PENDING)
        tx.mark_submitted(["submitted-1"])
        names = [*(stage.value for stage in Stage), "submitted"]
        before = {name: get_workspace(tx, name) for name in names}
        builds = [before[name].last_build.id for name in names if name != Stage.PENDING.value]
        for _ in range(2):
            tx.withdraw_prebuilds(["unknown", "new-1", *builds])
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.get_workspace("new"), None, "a prebuild that was withdrawn")
        after = {name: tx.get_workspace(name) for name in names}
        expect(after, before, "all workspaces that the builder was asked for")
