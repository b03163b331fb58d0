"""Methods that create, delete, list and end workspaces, and break one rule each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from prebuilds.adapters.memory.transactions import MemoryTransaction
from prebuilds.decision.models import BuildStatus, Preset, TemplateVersion
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection, select
from prebuilds.runtime.models import BuildRequest, NewPrebuild, Workspace


def delete_claimed(tx: MemoryTransaction, requests: Sequence[BuildRequest], *, now: datetime) -> Mapping[str, str]:
    """Deletes without looking at the owner."""
    for row in _get_rows(tx, requests):
        tx.rows.put_workspaces([attrs.evolve(row, owner_id="prebuilds")])
    return tx.insert_deletes(requests, now=now)


def delete_with_active_version(
    tx: MemoryTransaction, requests: Sequence[BuildRequest], *, now: datetime
) -> Mapping[str, str]:
    """Deletes with the version that is active now."""
    added = tx.insert_deletes(requests, now=now)
    active = [preset.template_version for preset in tx.read_rows().presets if preset.is_active]
    for row in _get_rows(tx, requests):
        version = next(version.id for version in active if version.template.id == row.template_id)
        tx.rows.put_workspaces(
            [attrs.evolve(row, last_build=attrs.evolve(row.last_build, template_version_id=version))]
        )
    return added


def delete_busy(tx: MemoryTransaction, requests: Sequence[BuildRequest], *, now: datetime) -> Mapping[str, str]:
    """Deletes what has a build under way."""
    for row in _get_rows(tx, requests):
        tx.finish_build(row.last_build.id, BuildStatus.CANCELED, now=now)
    return tx.insert_deletes(requests, now=now)


def delete_the_first(tx: MemoryTransaction, requests: Sequence[BuildRequest], *, now: datetime) -> Mapping[str, str]:
    """Takes a batch for one request."""
    return tx.insert_deletes(requests[:1], now=now)


def _get_rows(tx: MemoryTransaction, requests: Sequence[BuildRequest]) -> list[Workspace]:
    rows = (tx.get_workspace(request.workspace_id) for request in requests)
    return [row for row in rows if row]


def cancel_begun(tx: MemoryTransaction, preset_id: str, *, now: datetime) -> list[str]:
    """Cancels builds that have begun."""
    for row in tx.read_rows(select(preset_id)).prebuilds:
        if row.last_build.status is BuildStatus.RUNNING and row.last_build.number == 1:
            tx.rows.put_workspaces(
                [attrs.evolve(row, last_build=attrs.evolve(row.last_build, status=BuildStatus.PENDING))]
            )
    return list(tx.cancel_pending(preset_id, now=now))


def create_active(tx: MemoryTransaction, prebuilds: Sequence[NewPrebuild], *, now: datetime) -> Sequence[str]:
    """Creates for active presets alone."""
    preset = _get_preset(tx, prebuilds)
    return tx.insert_prebuilds(prebuilds, now=now) if preset is None or preset.is_active else ()


def cancel_candidate(tx: MemoryTransaction, preset_id: str, *, now: datetime) -> list[str]:
    """Cancels builds of candidates."""
    preset = next(iter(tx.read_rows(select(preset_id)).presets), None)
    if preset and preset.template_version.is_candidate:
        tx.put_preset(attrs.evolve(preset, template_version=TemplateVersion(is_active=False)))
    canceled = tx.cancel_pending(preset_id, now=now)
    if preset:
        tx.put_preset(preset)
    return list(canceled)


def cancel_active(tx: MemoryTransaction, preset_id: str, *, now: datetime) -> list[str]:
    """Cancels builds of active presets."""
    preset = next(iter(tx.read_rows(select(preset_id)).presets), None)
    if preset is None:
        return []
    tx.put_preset(attrs.evolve(preset, template_version=attrs.evolve(preset.template_version, is_active=False)))
    canceled = tx.cancel_pending(preset_id, now=now)
    tx.put_preset(preset)
    return list(canceled)


def _change(prebuilds: Sequence[NewPrebuild], **changes: Any) -> list[NewPrebuild]:
    return [attrs.evolve(new, request=attrs.evolve(new.request, **changes)) for new in prebuilds]


def _get_preset(tx: MemoryTransaction, prebuilds: Sequence[NewPrebuild]) -> Preset | None:
    return next(iter(tx.read_rows(select(prebuilds[0].request.preset_id or "")).presets), None) if prebuilds else None


def create_unpinned(tx: MemoryTransaction, prebuilds: Sequence[NewPrebuild], *, now: datetime) -> Sequence[str]:
    """Creates with any version."""
    preset = _get_preset(tx, prebuilds)
    if preset:
        prebuilds = _change(prebuilds, template_version_id=preset.template_version.id)
    return tx.insert_prebuilds(prebuilds, now=now)


def create_inactive(tx: MemoryTransaction, prebuilds: Sequence[NewPrebuild], *, now: datetime) -> Sequence[str]:
    """Creates for presets that are inactive."""
    preset = _get_preset(tx, prebuilds)
    if preset is None or preset.is_wanted:
        return tx.insert_prebuilds(prebuilds, now=now)
    template = attrs.evolve(preset.template_version.template, deleted=False, deprecated=False)
    version = attrs.evolve(preset.template_version, is_active=True, template=template)
    tx.put_preset(attrs.evolve(preset, template_version=version))
    added = tx.insert_prebuilds(prebuilds, now=now)
    tx.put_preset(preset)
    return added


def read_deleted(tx: MemoryTransaction, selection: Selection = ALL_PRESETS, **options: Any) -> FleetRows:
    """Reads prebuilds that are deleted too."""
    rows = [row for row in tx.rows.tables.workspaces.values() if row.is_prebuild and selection.has(row.preset_id)]
    return attrs.evolve(tx.read_rows(selection, **options), prebuilds=rows)


def create_the_first(tx: MemoryTransaction, prebuilds: Sequence[NewPrebuild], *, now: datetime) -> Sequence[str]:
    """Takes a batch for one prebuild."""
    return tx.insert_prebuilds(prebuilds[:1], now=now)


def _find_by_build(tx: MemoryTransaction, build_id: str) -> Workspace | None:
    return tx.get_workspace(tx.rows.find_builds([build_id]).get(build_id) or "")


def withdraw_submitted(tx: MemoryTransaction, build_ids: Sequence[str]) -> None:
    """Withdraws what the builder has taken."""
    for build_id in build_ids:
        row = _find_by_build(tx, build_id)
        if row:
            tx.rows.put_workspaces([attrs.evolve(row, last_build=attrs.evolve(row.last_build, submitted=False))])
    tx.withdraw_prebuilds(build_ids)


def read_all(tx: MemoryTransaction, selection: Selection = ALL_PRESETS, **options: Any) -> FleetRows:
    """Reads the prebuilds of every preset."""
    return attrs.evolve(tx.read_rows(selection, **options), prebuilds=tx.read_rows().prebuilds)


def read_running(tx: MemoryTransaction, selection: Selection = ALL_PRESETS, **options: Any) -> FleetRows:
    """Reads only the prebuilds that run."""
    rows = tx.read_rows(selection, **options)
    return attrs.evolve(rows, prebuilds=[row for row in rows.prebuilds if row.is_running])


def create_again(tx: MemoryTransaction, prebuilds: Sequence[NewPrebuild], *, now: datetime) -> Sequence[str]:
    """Creates with the id of a build that is there."""
    for new in prebuilds:
        if new.request.workspace_id not in tx.rows.tables.workspaces:
            tx.rows.own("builds").builds.pop(new.request.build_id, None)
    return tx.insert_prebuilds(prebuilds, now=now)


def get_prebuild(tx: MemoryTransaction, workspace_id: str) -> Workspace | None:
    """Has no workspaces that were claimed."""
    row = tx.get_workspace(workspace_id)
    return row if row and row.is_prebuild else None


def create_without_parameters(
    tx: MemoryTransaction, prebuilds: Sequence[NewPrebuild], *, now: datetime
) -> Sequence[str]:
    """Forgets what a prebuild was to be made with."""
    added = tx.insert_prebuilds(prebuilds, now=now)
    for row in _get_rows(tx, [new.request for new in prebuilds]):
        tx.rows.put_workspaces([attrs.evolve(row, parameters=None)])
    return added


def create_with_parameters_of_now(
    tx: MemoryTransaction, prebuilds: Sequence[NewPrebuild], *, now: datetime
) -> Sequence[str]:
    """Makes a prebuild with what its preset has now."""
    preset = _get_preset(tx, prebuilds)
    return tx.insert_prebuilds(_change(prebuilds, parameters=preset.parameters if preset else ()), now=now)


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
