"""Methods that claim against the rules: each breaks one."""

from __future__ import annotations

from typing import Any

import attrs

from prebuilds.adapters.memory.transactions import MemoryTransaction
from prebuilds.errors import NameTakenError
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.models import ClaimOrder, ClaimRequest, Workspace


def take_newest(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes in the wrong order."""
    return tx.take_prebuild(attrs.evolve(request, order=ClaimOrder.NEWEST_FIRST))


def take_unready(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes what is not ready."""
    for row in tx.read_rows(select(request.preset_id)).prebuilds:
        tx.mark_ready(row.id)
    return tx.take_prebuild(request)


def take_of_inactive(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes of presets that are inactive."""
    preset = next(iter(tx.list_presets(request.preset_id)), None)
    if preset is None:
        return None
    template = attrs.evolve(preset.template_version.template, deleted=False, deprecated=False)
    version = attrs.evolve(preset.template_version, is_active=True, is_candidate=False, template=template)
    tx.put_preset(attrs.evolve(preset, template_version=version))
    taken = tx.take_prebuild(request)
    tx.put_preset(preset)
    return taken


def take_any_age(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes what is too old."""
    return tx.take_prebuild(attrs.evolve(request, created_since=None))


def take_any_name(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Gives a name twice."""
    try:
        return tx.take_prebuild(request)
    except NameTakenError:
        taken = tx.take_prebuild(attrs.evolve(request, name="unheard of"))
        return taken and attrs.evolve(taken, name=request.name)


def take_again(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Ignores that the request id has been used."""
    if request.request_id:
        tx.rows.own("claims").claims.pop(request.request_id, None)
    return tx.take_prebuild(request)


def take_unnoted(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Does not note the claim."""
    return tx.take_prebuild(attrs.evolve(request, request_id=None))


def take_oldest(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes in one order alone."""
    return tx.take_prebuild(attrs.evolve(request, order=ClaimOrder.OLDEST_FIRST))


def take_by_age_alone(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes the last that was added, of several of one age."""
    ready = [row for row in tx.read_rows(select(request.preset_id)).prebuilds if row.ready and row.is_running]
    first = min((row.created_at for row in ready), default=None)
    ages = [row for row in ready if row.created_at == first]
    hidden = ages[:-1]
    for row in hidden:
        tx.rows.put_workspaces([attrs.evolve(row, ready=False)])
    taken = tx.take_prebuild(request)
    for row in hidden:
        tx.rows.put_workspaces([row])
    return taken


def take_of_any_preset(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes of another preset if there is none of the one asked for."""
    requests = [request, *(attrs.evolve(request, preset_id=preset.id) for preset in tx.list_presets())]
    return next((taken for taken in map(tx.take_prebuild, requests) if taken), None)


def take_given_up(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes what was given up."""
    for row in tx.read_rows(select(request.preset_id)).prebuilds:
        tx.rows.put_workspaces([attrs.evolve(row, retired=False, ready=row.ready or row.retired)])
    return tx.take_prebuild(request)


def take_of_any_parameters(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes what was made with other parameters."""
    return _take_as_if(tx, request, parameters=None)


def take_of_any_version(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes what another version made."""
    preset = next(iter(tx.list_presets(request.preset_id)), None)
    if preset is None:
        return None
    unknown = attrs.evolve(preset.template_version, id="")
    tx.put_preset(attrs.evolve(preset, template_version=unknown))
    taken = tx.take_prebuild(request)
    tx.put_preset(preset)
    return taken


def _take_as_if(tx: MemoryTransaction, request: ClaimRequest, **changes: Any) -> Workspace | None:
    """Takes as if every prebuild were another, and leaves them all as they were but for the owner."""
    before = {row.id: row for row in tx.read_rows(select(request.preset_id)).prebuilds}
    for row in before.values():
        tx.rows.put_workspaces([attrs.evolve(row, **changes)])
    taken = tx.take_prebuild(request)
    for row in before.values():
        tx.rows.put_workspaces([row])
    if taken:
        taken = attrs.evolve(before[taken.id], owner_id=taken.owner_id, name=taken.name)
        tx.rows.put_workspaces([taken])
    return taken


def take_of_known_versions(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Takes only what is known to be of the preset's version."""
    preset = next(iter(tx.list_presets(request.preset_id)), None)
    rows = tx.read_rows().prebuilds
    others = [row for row in rows if preset and _is_made_by(row, "") != (not preset.template_version.id)]
    for row in others:
        tx.rows.put_workspaces([attrs.evolve(row, ready=False)])
    taken = tx.take_prebuild(request)
    for row in others:
        tx.rows.put_workspaces([row])
    return taken


def _is_made_by(row: Workspace, version: str) -> bool:
    return row.last_build.template_version_id == version


def take_under_the_old_name(tx: MemoryTransaction, request: ClaimRequest) -> Workspace | None:
    """Leaves the workspace its name."""
    name = {row.id: row.name for row in tx.read_rows().prebuilds}
    taken = tx.take_prebuild(request)
    if taken:
        tx.rows.put_workspaces([attrs.evolve(taken, name=name[taken.id])])
    return taken
