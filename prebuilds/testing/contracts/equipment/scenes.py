"""Scenes: what a check sets up before it looks. Prebuilds at every stage of their lives.

- Only the port's own writes set anything up.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from prebuilds.decision.models import Build, BuildStatus, Preset, Transition
from prebuilds.runtime.fleet_rows import ALL_PRESETS, Selection, select
from prebuilds.runtime.models import ClaimRequest, Workspace, WorkspaceBuild
from prebuilds.runtime.ports import FleetReads, Store, Transaction
from prebuilds.testing.contracts.equipment.requests import (
    WEB,
    at,
    delete_one,
    insert_one,
    request_claim,
    request_delete,
    request_start,
)

_DAY = 24 * 3_600


class Stage(Enum):
    """How far a workspace has come. `add` brings it there."""

    PENDING = "pending"
    BEGUN = "begun"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELED = "canceled"
    DELETE_PENDING = "delete_pending"
    DELETE_BEGUN = "delete_begun"
    DELETE_FAILED = "delete_failed"
    DELETED = "deleted"
    CLAIMED = "claimed"
    RETIRED = "retired"
    RELEASED = "released"
    FORGOTTEN = "forgotten"


_BUSY = (Stage.PENDING, Stage.BEGUN, Stage.DELETE_PENDING, Stage.DELETE_BEGUN)
_WAS_CLAIMED = (Stage.CLAIMED, Stage.RELEASED, Stage.FORGOTTEN)
_GONE = (Stage.DELETED, Stage.CLAIMED, Stage.FORGOTTEN)
IS_PREBUILD = tuple(stage for stage in Stage if stage not in _GONE)
IS_DELETABLE = tuple(stage for stage in IS_PREBUILD if stage not in _BUSY)


def add(tx: Transaction, workspace_id: str, stage: Stage, preset: Preset = WEB, *, seconds: float = 0) -> None:
    """Add a workspace, created at `at(seconds)`, and bring it to this stage. The preset must be active.

    A workspace that a user gets is created a day earlier, as claims take the oldest. Nothing else may be as old.
    """
    created = seconds - _DAY if stage in _WAS_CLAIMED else seconds
    insert_one(tx, request_start(workspace_id, preset), name=f"name of {workspace_id}", now=at(created))
    if stage in (Stage.PENDING, Stage.BEGUN, Stage.FAILED, Stage.CANCELED):
        _advance(tx, f"{workspace_id}-1", stage)
        return
    finish(tx, f"{workspace_id}-1", seconds=created + 60)
    if stage is Stage.RUNNING:
        return
    tx.mark_ready(workspace_id)
    if stage in _WAS_CLAIMED:
        tx.take_prebuild(request_claim(f"owner of {workspace_id}", preset_id=preset.id))
        _end_claim(tx, workspace_id, stage)
    elif stage is Stage.RETIRED:
        tx.retire_prebuild(workspace_id)
    elif stage is not Stage.READY:
        delete_one(tx, request_delete(workspace_id), now=at(seconds + 120))
        _advance(tx, f"{workspace_id}-2", stage)


_ENDS = {
    Stage.FAILED: BuildStatus.FAILED,
    Stage.CANCELED: BuildStatus.CANCELED,
    Stage.DELETE_FAILED: BuildStatus.FAILED,
    Stage.DELETED: BuildStatus.SUCCEEDED,
}


def _advance(tx: Transaction, build_id: str, stage: Stage) -> None:
    if stage in (Stage.BEGUN, Stage.DELETE_BEGUN):
        tx.begin_build(build_id, now=at(150))
    elif stage in _ENDS:
        finish(tx, build_id, _ENDS[stage], seconds=180)


def _end_claim(tx: Transaction, workspace_id: str, stage: Stage) -> None:
    if stage is Stage.RELEASED:
        tx.release_workspace(workspace_id, name=f"name of {workspace_id}")
    elif stage is Stage.FORGOTTEN:
        tx.forget_workspace(workspace_id)


def finish(
    tx: Transaction, build_id: str, status: BuildStatus = BuildStatus.SUCCEEDED, *, seconds: float = 60
) -> Workspace | None:
    """Begin a build and end it at `at(seconds)`."""
    tx.begin_build(build_id, now=at(seconds - 1))
    return tx.finish_build(build_id, status, now=at(seconds))


def add_ready(tx: Transaction, *workspace_ids: str) -> None:
    """Add ready prebuilds, each a second younger than the one before."""
    for second, workspace_id in enumerate(workspace_ids):
        add(tx, workspace_id, Stage.READY, seconds=second)


def put_presets(store: Store, *presets: Preset) -> None:
    """Put presets in one transaction."""
    with store.transaction() as tx:
        for preset in presets:
            tx.put_preset(preset)


def put_one(store: Store, workspace_id: str, stage: Stage) -> None:
    """Put `WEB` with one workspace at this stage, in one transaction."""
    with store.transaction() as tx:
        tx.put_preset(WEB)
        add(tx, workspace_id, stage)


def put_ready(store: Store, *workspace_ids: str) -> None:
    """Put `WEB` with ready prebuilds, each a second younger than the one before, in one transaction."""
    with store.transaction() as tx:
        tx.put_preset(WEB)
        add_ready(tx, *workspace_ids)


def put_all_stages(store: Store) -> None:
    """Put `WEB` with one workspace at each stage, named after it, in one transaction."""
    with store.transaction() as tx:
        tx.put_preset(WEB)
        for stage in Stage:
            add(tx, stage.value, stage)


def take_in(store: Store, request: ClaimRequest) -> Workspace | None:
    """Take a prebuild in a transaction of its own."""
    with store.transaction() as tx:
        return tx.take_prebuild(request)


def expected_workspace(workspace_id: str, preset: Preset = WEB) -> Workspace:
    """The workspace that `add` makes at stage `PENDING`."""
    build = WorkspaceBuild(
        id=f"{workspace_id}-1",
        number=1,
        transition=Transition.START,
        status=BuildStatus.PENDING,
        template_version_id=preset.template_version.id,
        created_at=at(0),
    )
    return Workspace(
        id=workspace_id,
        name=f"name of {workspace_id}",
        preset_id=preset.id,
        template_id=preset.template_version.template.id,
        parameters=preset.parameters,
        created_at=at(0),
        last_build=build,
    )


def list_ids(reads: FleetReads, preset_id: str | None = None) -> Sequence[str]:
    """The ids of the prebuilds that the store lists, sorted."""
    return sorted(workspace.id for workspace in reads.read_rows(_select(preset_id)).prebuilds)


def list_outcomes(
    reads: FleetReads,
    *,
    since: float = -2 * _DAY,
    latest: int = 0,
    preset_id: str | None = None,
    failing_only: bool = False,
) -> Sequence[Build]:
    """The start builds that are read and that succeeded or failed, each once, sorted by id."""
    selection = _select(preset_id)
    builds = reads.read_rows(selection, ended_since=at(since), latest=latest, failing_only=failing_only).builds
    ends = (BuildStatus.SUCCEEDED, BuildStatus.FAILED)
    outcomes = {build for build in builds if build.transition is Transition.START and build.status in ends}
    return sorted(outcomes, key=lambda build: build.id)


def _select(preset_id: str | None) -> Selection:
    return ALL_PRESETS if preset_id is None else select(preset_id)
