"""What may become of a workspace: the guards of every write to one, as pure functions over rows.

- Each takes a workspace as it is and returns it as it is then, or None where nothing is to be done.
- A store reads a row, asks, and writes the answer; or says the same in one statement. The contract checks hold both to
  it.
- Clocks differ: no build ends before it began, whatever the clock says that reports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from prebuilds.decision.history import is_of_version
from prebuilds.decision.models import Build, BuildStatus, Preset, Transition
from prebuilds.decision.presets import is_made_otherwise
from prebuilds.runtime.models import PREBUILDS_USER_ID, Workspace, WorkspaceBuild


def end_build(workspace: Workspace, status: BuildStatus, *, now: datetime) -> Workspace | None:
    """The workspace once its last build has this final status; None if that has ended already.

    A delete that SUCCEEDED marks it deleted; one that FAILED adds to its `failed_deletes`.
    """
    build = workspace.last_build
    if build.status.is_final:
        return None
    is_delete = build.transition is Transition.DELETE
    return attrs.evolve(
        workspace,
        last_build=attrs.evolve(build, status=status, finished_at=max(now, build.created_at)),
        deleted=workspace.deleted or (is_delete and status is BuildStatus.SUCCEEDED),
        failed_deletes=workspace.failed_deletes + (is_delete and status is BuildStatus.FAILED),
    )


def make_ready(workspace: Workspace) -> Workspace | None:
    """The workspace once a user could work in it; None unless it runs and was not ready."""
    return attrs.evolve(workspace, ready=True) if workspace.is_running and not workspace.ready else None


def make_unready(workspace: Workspace) -> Workspace | None:
    """The prebuild once no user could work in it any more; None unless it is a prebuild that was ready."""
    is_known = workspace.is_prebuild and not workspace.deleted and workspace.ready
    return attrs.evolve(workspace, ready=False) if is_known else None


def retire_prebuild(workspace: Workspace) -> Workspace | None:
    """The prebuild once it is given up; None unless it is a prebuild that is neither deleted nor given up."""
    is_known = workspace.is_prebuild and not workspace.deleted and not workspace.retired
    return attrs.evolve(workspace, retired=True, ready=False) if is_known else None


def release_workspace(workspace: Workspace, *, name: str) -> Workspace | None:
    """The workspace once its user is done with it: the prebuilds user's again, under this name, and given up.

    None unless a user has it.
    """
    if workspace.is_prebuild or workspace.deleted:
        return None
    return attrs.evolve(workspace, owner_id=PREBUILDS_USER_ID, name=name, retired=True, ready=False)


def forget_workspace(workspace: Workspace) -> Workspace | None:
    """The workspace once its user is done with it and the host has deleted it; None unless a user has it."""
    return None if workspace.is_prebuild or workspace.deleted else attrs.evolve(workspace, deleted=True)


def is_claimable(workspace: Workspace, preset: Preset, created_since: datetime | None) -> bool:
    """Whether a user may get the workspace now.

    It is a prebuild of the preset as the preset is now, running and ready, not given up, and created at
    `created_since` or later if that is given.
    """
    is_there = workspace.is_prebuild and workspace.is_running and workspace.ready and workspace.preset_id == preset.id
    is_fresh = created_since is None or workspace.created_at >= created_since
    return is_there and is_fresh and preset.is_active and not is_outdated(workspace, preset)


def is_outdated(workspace: Workspace, preset: Preset) -> bool:
    """Whether it was made with another version, or with other parameters, than its preset has now (R2)."""
    return is_made_otherwise(preset, workspace.last_build.template_version_id, workspace.parameters)


def make_outcome(preset_id: str, build: WorkspaceBuild) -> Build:
    """A build that has ended, as history needs it."""
    return Build(
        id=build.id,
        preset_id=preset_id,
        template_version_id=build.template_version_id,
        transition=build.transition,
        status=build.status,
        created_at=build.created_at,
        finished_at=max(build.finished_at or build.created_at, build.created_at),
    )


def select_outcomes(
    builds: Iterable[Build], preset: Preset, *, reset_at: datetime | None, ended_since: datetime, latest: int
) -> Sequence[Build]:
    """Of all outcomes of a preset, those that `list_builds` gives."""
    counted = [
        build for build in builds if is_of_version(build, preset) and (reset_at is None or build.created_at > reset_at)
    ]
    attempts = sorted({build.created_at for build in counted}, reverse=True)[:latest]
    return [build for build in counted if build.created_at in attempts or _has_ended_since(build, ended_since)]


def _has_ended_since(build: Build, instant: datetime) -> bool:
    return build.finished_at is not None and build.finished_at >= instant
