"""The rules for adding several prebuilds or deletes at once, as pure functions over rows.

- What is refused is left out, and the others are added.
- Within a batch, the first with an id is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from prebuilds.decision.models import Preset
from prebuilds.runtime.models import BuildRequest, NewPrebuild, Workspace
from prebuilds.runtime.workspace_rules import add_delete, is_pinned, make_prebuild


def make_prebuilds(
    prebuilds: Sequence[NewPrebuild],
    presets: Mapping[str, Preset | None],
    *,
    workspace_ids: Iterable[str],
    build_ids: Iterable[str],
    now: datetime,
) -> Sequence[Workspace]:
    """The prebuilds that may be added. `workspace_ids` and `build_ids` are those of the batch that exist."""
    made: list[Workspace] = []
    taken, begun = set(workspace_ids), set(build_ids)
    for new in prebuilds:
        request, preset = new.request, presets.get(new.request.preset_id or "")
        is_new = request.workspace_id not in taken and request.build_id not in begun
        if preset and is_new and is_pinned(request, preset):
            made.append(make_prebuild(request, preset, name=new.name, now=now))
            taken.add(request.workspace_id)
            begun.add(request.build_id)
    return made


def add_deletes(
    requests: Sequence[BuildRequest], workspaces: Iterable[Workspace], *, build_ids: Iterable[str], now: datetime
) -> Sequence[Workspace]:
    """The workspaces of the deletes that may be added, each with its delete. `build_ids` are those that exist."""
    rows, begun = {workspace.id: workspace for workspace in workspaces}, set(build_ids)
    changed: dict[str, Workspace] = {}
    for request in requests:
        row = rows.get(request.workspace_id)
        deleted = add_delete(row, request, now=now) if row and request.build_id not in begun else None
        if deleted:
            changed[deleted.id] = rows[deleted.id] = deleted
            begun.add(request.build_id)
    return tuple(changed.values())
