"""What a store holds at one moment, and what is right for it.

- Nothing here asks the code under test: targets and ages are worked out again, from the rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from prebuilds.decision.models import BuildStatus, Preset, Transition
from prebuilds.decision.parameters import Parameters
from prebuilds.runtime.models import Workspace


def count_wanted(preset: Preset) -> int:
    """The target of a preset. Those of situations have no schedules."""
    template = preset.template_version.template
    is_active = preset.template_version.is_active and not template.deleted and not template.deprecated
    return preset.desired_instances if is_active else 0


Made = tuple[str, Parameters]
"""What a workspace is made with: the id of a template version, and parameters."""


def get_made(preset: Preset) -> Made:
    """What a new workspace of the preset is made with."""
    return preset.template_version.id, preset.parameters


def is_fresh(workspace: Workspace, preset: Preset, now: datetime) -> bool:
    """Whether it is young enough (R2). An invalidation in the future does nothing yet."""
    invalidated = preset.last_invalidated_at
    if invalidated is not None and workspace.created_at < invalidated <= now:
        return False
    return not preset.ttl or now - workspace.created_at <= preset.ttl


def is_kept(workspace: Workspace) -> bool:
    """Whether it can be claimed, now or once its start has ended."""
    build = workspace.last_build
    failed = build.status in (BuildStatus.FAILED, BuildStatus.CANCELED)
    return build.transition is Transition.START and not failed and not workspace.deleted


def is_starting(workspace: Workspace) -> bool:
    """Whether its start is under way."""
    build = workspace.last_build
    return build.transition is Transition.START and not build.status.is_final and not workspace.deleted


def is_late(workspace: Workspace, preset: Preset, now: datetime) -> bool:
    """Whether it, or its start, has missed a deadline or was given up before (R14)."""
    build = workspace.last_build
    if build.transition is not Transition.START or workspace.ready:
        return False
    if build.finished_at is None:
        deadline, since = preset.build_deadline, build.created_at
    else:
        deadline, since = preset.ready_deadline, build.finished_at
    return (build.finished_at is None and workspace.retired) or (deadline is not None and now - since >= deadline)


@attrs.frozen(kw_only=True)
class StoreContents:
    """What a store holds at one moment: the presets, and every workspace ever seen, both by id."""

    presets: Mapping[str, Preset]
    workspaces: Mapping[str, Workspace]

    def count_starting(self) -> int:
        """How many starts are under way, of all presets together."""
        return sum(map(is_starting, self.workspaces.values()))

    def list_prebuilds(self, preset_id: str) -> Sequence[Workspace]:
        """The prebuilds of a preset that are not deleted."""
        prebuilds = (row for row in self.workspaces.values() if row.preset_id == preset_id and row.is_prebuild)
        return [row for row in prebuilds if not row.deleted]
