"""Methods that create, delete, list and end workspaces, and break one rule each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from prebuilds.adapters.memory.transactions import MemoryTransaction
from prebuilds.decision.models import BuildStatus
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection, select
from prebuilds.runtime.models import BuildRequest, Workspace


def delete_claimed(tx: MemoryTransaction, request: BuildRequest, *, now: datetime) -> bool:
    """Deletes without looking at the owner."""
    row = tx.get_workspace(request.workspace_id)
    if row is None or row.is_prebuild:
        return tx.insert_delete(request, now=now)
    tx.rows.put_workspaces([attrs.evolve(row, owner_id="prebuilds")])
    return tx.insert_delete(request, now=now)


def delete_with_active_version(tx: MemoryTransaction, request: BuildRequest, *, now: datetime) -> bool:
    """Deletes with the version that is active now."""
    added = tx.insert_delete(request, now=now)
    row = tx.get_workspace(request.workspace_id)
    if added and row:
        active = [preset.template_version for preset in tx.list_presets() if preset.is_active]
        version = next(version.id for version in active if version.template.id == row.template_id)
        tx.rows.put_workspaces(
            [attrs.evolve(row, last_build=attrs.evolve(row.last_build, template_version_id=version))]
        )
    return added


def delete_busy(tx: MemoryTransaction, request: BuildRequest, *, now: datetime) -> bool:
    """Deletes what has a build under way."""
    row = tx.get_workspace(request.workspace_id)
    if row and not row.last_build.status.is_final:
        tx.finish_build(row.last_build.id, BuildStatus.CANCELED, now=now)
    return tx.insert_delete(request, now=now)


def cancel_begun(tx: MemoryTransaction, preset_id: str, *, now: datetime) -> list[str]:
    """Cancels builds that have begun."""
    for row in tx.read_rows(select(preset_id)).prebuilds:
        if row.last_build.status is BuildStatus.RUNNING and row.last_build.number == 1:
            tx.rows.put_workspaces(
                [attrs.evolve(row, last_build=attrs.evolve(row.last_build, status=BuildStatus.PENDING))]
            )
    return list(tx.cancel_pending(preset_id, now=now))


def cancel_active(tx: MemoryTransaction, preset_id: str, *, now: datetime) -> list[str]:
    """Cancels builds of active presets."""
    preset = next(iter(tx.list_presets(preset_id)), None)
    if preset is None:
        return []
    tx.put_preset(attrs.evolve(preset, template_version=attrs.evolve(preset.template_version, is_active=False)))
    canceled = tx.cancel_pending(preset_id, now=now)
    tx.put_preset(preset)
    return list(canceled)


def create_unpinned(tx: MemoryTransaction, request: BuildRequest, **options: Any) -> bool:
    """Creates with any version."""
    preset = next(iter(tx.list_presets(request.preset_id)), None)
    version = preset.template_version.id if preset else request.template_version_id
    return tx.insert_prebuild(attrs.evolve(request, template_version_id=version), **options)


def create_inactive(tx: MemoryTransaction, request: BuildRequest, **options: Any) -> bool:
    """Creates for presets that are inactive."""
    preset = next(iter(tx.list_presets(request.preset_id)), None)
    if preset is None or preset.is_active:
        return tx.insert_prebuild(request, **options)
    template = attrs.evolve(preset.template_version.template, deleted=False, deprecated=False)
    version = attrs.evolve(preset.template_version, is_active=True, template=template)
    tx.put_preset(attrs.evolve(preset, template_version=version))
    added = tx.insert_prebuild(request, **options)
    tx.put_preset(preset)
    return added


def read_deleted(tx: MemoryTransaction, selection: Selection = ALL_PRESETS, **options: Any) -> FleetRows:
    """Reads prebuilds that are deleted too."""
    rows = [row for row in tx.rows.tables.workspaces.values() if row.is_prebuild and selection.has(row.preset_id)]
    return attrs.evolve(tx.read_rows(selection, **options), prebuilds=rows)


def read_all(tx: MemoryTransaction, selection: Selection = ALL_PRESETS, **options: Any) -> FleetRows:
    """Reads the prebuilds of every preset."""
    return attrs.evolve(tx.read_rows(selection, **options), prebuilds=tx.read_rows().prebuilds)


def read_running(tx: MemoryTransaction, selection: Selection = ALL_PRESETS, **options: Any) -> FleetRows:
    """Reads only the prebuilds that run."""
    rows = tx.read_rows(selection, **options)
    return attrs.evolve(rows, prebuilds=[row for row in rows.prebuilds if row.is_running])


def create_again(tx: MemoryTransaction, request: BuildRequest, **options: Any) -> bool:
    """Creates with the id of a build that is there."""
    if request.workspace_id not in tx.rows.tables.workspaces:
        tx.rows.own("builds").builds.pop(request.build_id, None)
    return tx.insert_prebuild(request, **options)


def get_prebuild(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Has no workspaces that were claimed."""
    row = tx.get_workspace(workspace_id)
    return row if row and row.is_prebuild else None


def create_without_parameters(tx: MemoryTransaction, request: BuildRequest, **options: Any) -> bool:
    """Forgets what a prebuild was to be made with."""
    added = tx.insert_prebuild(request, **options)
    row = tx.get_workspace(request.workspace_id)
    if added and row:
        tx.rows.put_workspaces([attrs.evolve(row, parameters=None)])
    return added


def create_with_parameters_of_now(tx: MemoryTransaction, request: BuildRequest, **options: Any) -> bool:
    """Makes a prebuild with what its preset has now."""
    preset = next(iter(tx.list_presets(request.preset_id)), None)
    parameters = preset.parameters if preset else ()
    return tx.insert_prebuild(attrs.evolve(request, parameters=parameters), **options)


def retire_ready(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Leaves what is given up ready."""
    row = tx.get_workspace(workspace_id)
    retired = tx.retire_prebuild(workspace_id)
    if row and retired:
        retired = attrs.evolve(retired, ready=row.ready)
        tx.rows.put_workspaces([retired])
    return retired


def release_for_others(tx: MemoryTransaction, workspace_id: str, *, name: str) -> Workspace | None:
    """Gives what was released to the next user."""
    row = tx.release_workspace(workspace_id, name=name)
    if row:
        row = attrs.evolve(row, retired=False)
        tx.rows.put_workspaces([row])
    return row


def release_anything(tx: MemoryTransaction, workspace_id: str, *, name: str) -> Workspace | None:
    """Gives prebuilds up that nobody had."""
    return tx.release_workspace(workspace_id, name=name) or tx.retire_prebuild(workspace_id)


def forget_anything(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Forgets prebuilds too."""
    row = tx.get_workspace(workspace_id)
    if row is None or row.deleted:
        return None
    tx.rows.put_workspaces([attrs.evolve(row, deleted=True)])
    return tx.get_workspace(workspace_id)
