"""Calls that change a workspace at some stages of its life, and leave it alone at all others."""

from __future__ import annotations

from collections.abc import Callable

from prebuilds.runtime.models import Workspace
from prebuilds.runtime.ports import Store, Transaction
from prebuilds.testing.contracts.equipment.error_words import Mismatch, expect
from prebuilds.testing.contracts.equipment.scenes import Stage, put_all_stages

Change = Callable[[Workspace], Workspace]


def get_workspace(tx: Transaction, workspace_id: str) -> Workspace:
    """The workspace. Raises `Mismatch` if there is none."""
    workspace = tx.get_workspace(workspace_id)
    if workspace is None:
        raise Mismatch(f"get_workspace({workspace_id!r}) is None, after it was added")
    return workspace


def expect_change(
    store: Store, name: str, *stages: Stage, call: Callable[[Transaction, str], Workspace | None], change: Change
) -> None:
    """With a workspace at every stage, the call changes those at `stages`, and leaves all others as they are."""
    put_all_stages(store)
    for stage in Stage:
        with store.transaction() as tx:
            before = get_workspace(tx, stage.value)
            expected = change(before) if stage in stages else None
            expect(call(tx, stage.value), expected, f"{name}() of a workspace that is {stage.value}")
        with store.transaction(read_only=True) as tx:
            expect(tx.get_workspace(stage.value), expected or before, f"the workspace after {name}()")
    with store.transaction() as tx:
        expect(call(tx, "unknown"), None, f"{name}() of a workspace that never was")
