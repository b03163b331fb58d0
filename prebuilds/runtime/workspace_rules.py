"""The rules for every write to a workspace or its builds, as pure functions over rows.

- Each change takes a workspace and returns the changed one, or None if the change is not allowed.
- A store may read a row, apply the function, and write the result, or do the same in one SQL statement. The contract
  checks hold either way to the same rules.
- A start names its template version. A delete names none, so that the version that made a prebuild also removes it,
  even after another version was promoted.
- Clocks differ. A build never ends before it began, even if the reporting clock says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from prebuilds.decision.history import is_of_version
from prebuilds.decision.lifetimes.aging import has_outlived
from prebuilds.decision.models import Build, BuildStatus, Preset, Transition
from prebuilds.decision.policies.failures import FailureClass
from prebuilds.decision.presets import is_made_otherwise, rank_by_age
from prebuilds.errors import UnresolvedVersionError
from prebuilds.runtime.models import (
    PREBUILDS_USER_ID,
    BuildRequest,
    ClaimOrder,
    ClaimRequest,
    Workspace,
    WorkspaceBuild,
)


def end_build(
    workspace: Workspace,
    status: BuildStatus,
    *,
    now: datetime,
    failure: FailureClass = FailureClass.TRANSIENT,
    message: str = "",
) -> Workspace | None:
    """The workspace after its last build ended with this status; None if the build had already ended.

    A delete that SUCCEEDED marks the workspace deleted; one that FAILED adds to its `failed_deletes`. A start that was
    given up while it was under way ends CANCELED: its failure was noted then. `failure` and `message` are kept with the
    build.
    """
    build = workspace.last_build
    if build.status.is_final:
        return None
    if workspace.retired and build.transition is Transition.START:
        status = BuildStatus.CANCELED
    is_delete = build.transition is Transition.DELETE
    return attrs.evolve(
        workspace,
        last_build=attrs.evolve(
            build, status=status, finished_at=max(now, build.created_at), failure=failure, message=message
        ),
        deleted=workspace.deleted or (is_delete and status is BuildStatus.SUCCEEDED),
        failed_deletes=workspace.failed_deletes + (is_delete and status is BuildStatus.FAILED),
    )


def begin_build(workspace: Workspace) -> Workspace | None:
    """The workspace after its last build began; None unless the build waits to begin."""
    build = workspace.last_build
    if build.status is not BuildStatus.PENDING:
        return None
    return attrs.evolve(workspace, last_build=attrs.evolve(build, status=BuildStatus.RUNNING))


def submit_build(workspace: Workspace) -> Workspace:
    """The workspace after the host's builder has taken its last build."""
    return attrs.evolve(workspace, last_build=attrs.evolve(workspace.last_build, submitted=True))


def cancel_start(workspace: Workspace, *, now: datetime) -> Workspace | None:
    """The prebuild, canceled before its first build began, and deleted; None unless it waits for that build."""
    if not workspace.is_prebuild or workspace.deleted or not is_pending_start(workspace):
        return None
    ended = end_build(workspace, BuildStatus.CANCELED, now=now)
    return ended and attrs.evolve(ended, deleted=True)


def make_ready(workspace: Workspace) -> Workspace | None:
    """The workspace, ready for a user; None unless it runs and was not ready."""
    return attrs.evolve(workspace, ready=True) if workspace.is_running and not workspace.ready else None


def make_unready(workspace: Workspace) -> Workspace | None:
    """The prebuild, no longer ready; None unless it is a prebuild that was ready."""
    is_known = workspace.is_prebuild and not workspace.deleted and workspace.ready
    return attrs.evolve(workspace, ready=False) if is_known else None


def retire_prebuild(workspace: Workspace) -> Workspace | None:
    """The prebuild, given up; None unless it is a prebuild that is neither deleted nor already given up."""
    is_known = workspace.is_prebuild and not workspace.deleted and not workspace.retired
    return attrs.evolve(workspace, retired=True, ready=False) if is_known else None


def release_workspace(workspace: Workspace, *, name: str) -> Workspace | None:
    """The workspace, taken back from its user: owned by the prebuilds user, under this name, and given up.

    None unless a user has it.
    """
    if workspace.is_prebuild or workspace.deleted:
        return None
    return attrs.evolve(workspace, owner_id=PREBUILDS_USER_ID, name=name, retired=True, ready=False)


def forget_workspace(workspace: Workspace) -> Workspace | None:
    """The workspace, deleted by the host after its user was done with it; None unless a user has it."""
    return None if workspace.is_prebuild or workspace.deleted else attrs.evolve(workspace, deleted=True)


def take_workspace(workspace: Workspace, request: ClaimRequest) -> Workspace:
    """The workspace, given to the user of the claim under the claim's name."""
    return attrs.evolve(workspace, owner_id=request.owner_id, name=request.name)


def select_claimable(prebuilds: Iterable[Workspace], preset: Preset, request: ClaimRequest) -> Workspace | None:
    """The first of the prebuilds that the claim may take, in the claim's order; None if there is none."""
    instants = request.created_since, request.claimed_at
    found = [workspace for workspace in prebuilds if is_claimable(workspace, preset, *instants)]
    choose = min if request.order is ClaimOrder.OLDEST_FIRST else max
    return choose(found, key=rank_by_age, default=None)


def is_claimable(
    workspace: Workspace, preset: Preset, created_since: datetime | None, claimed_at: datetime | None = None
) -> bool:
    """Whether a user may get the workspace now.

    It must be a prebuild that is running, ready and not given up. It must match its preset's version and parameters,
    the preset must be active, and if `created_since` is given, it must have been created then or later. If `claimed_at`
    is given and the preset has a `ttl_jitter`, it must be within its own ttl then (R16).
    """
    if claimed_at and preset.ttl_jitter and has_outlived(preset, workspace.id, workspace.created_at, claimed_at):
        return False
    is_there = workspace.is_prebuild and workspace.is_running and workspace.ready and workspace.preset_id == preset.id
    is_fresh = created_since is None or workspace.created_at >= created_since
    return is_there and is_fresh and preset.is_active and not is_outdated(workspace, preset)


def is_pending_start(workspace: Workspace) -> bool:
    """Whether the first build of a workspace has not begun."""
    build = workspace.last_build
    return build.number == 1 and build.transition is Transition.START and build.status is BuildStatus.PENDING


def is_outdated(workspace: Workspace, preset: Preset) -> bool:
    """Whether its version or its parameters differ from those of its preset now (R2)."""
    return is_made_otherwise(preset, workspace.last_build.template_version_id, workspace.parameters)


def is_withdrawable(workspace: Workspace) -> bool:
    """Whether it is a prebuild whose first build waits, and was not handed to the host's builder."""
    is_there = workspace.is_prebuild and not workspace.deleted
    return is_there and is_pending_start(workspace) and not workspace.last_build.submitted


def resolve_template_version(request: BuildRequest, last_build: WorkspaceBuild | None) -> str:
    """The template version that a build runs with: that of the request, or else of the workspace's last build.

    Raises `UnresolvedVersionError` if there is neither.
    """
    if request.template_version_id is not None:
        return request.template_version_id
    if last_build is None:
        raise UnresolvedVersionError(request.workspace_id)
    return last_build.template_version_id


def make_build(request: BuildRequest, last_build: WorkspaceBuild | None, *, now: datetime) -> WorkspaceBuild:
    """The build that a request adds to a workspace after its last build. Raises `UnresolvedVersionError`."""
    return WorkspaceBuild(
        id=request.build_id,
        number=last_build.number + 1 if last_build else 1,
        transition=request.transition,
        status=BuildStatus.PENDING,
        template_version_id=resolve_template_version(request, last_build),
        created_at=now,
    )


def make_prebuild(request: BuildRequest, preset: Preset, *, name: str, now: datetime) -> Workspace:
    """The prebuild of a preset that a request creates, with its first build. Raises `UnresolvedVersionError`."""
    return Workspace(
        id=request.workspace_id,
        name=name,
        preset_id=preset.id,
        template_id=preset.template_version.template.id,
        parameters=request.parameters,
        created_at=now,
        last_build=make_build(request, None, now=now),
    )


def is_pinned(request: BuildRequest, preset: Preset) -> bool:
    """Whether a start may still be added: its preset wants prebuilds, and has the version that the start names."""
    return preset.is_wanted and preset.template_version.id == request.template_version_id


def add_delete(workspace: Workspace, request: BuildRequest, *, now: datetime) -> Workspace | None:
    """The prebuild with a delete build; None unless it is a prebuild, not deleted, whose last build has ended."""
    if not workspace.is_prebuild or workspace.deleted or not workspace.last_build.status.is_final:
        return None
    return attrs.evolve(workspace, last_build=make_build(request, workspace.last_build, now=now))


def is_outcome(build: WorkspaceBuild) -> bool:
    """Whether history needs the build: a start that succeeded or failed."""
    return build.transition is Transition.START and build.status in (BuildStatus.SUCCEEDED, BuildStatus.FAILED)


def make_outcome(preset_id: str, build: WorkspaceBuild) -> Build:
    """The finished build in the form that history needs."""
    return Build(
        id=build.id,
        preset_id=preset_id,
        template_version_id=build.template_version_id,
        transition=build.transition,
        status=build.status,
        created_at=build.created_at,
        finished_at=max(build.finished_at or build.created_at, build.created_at),
        failure=build.failure,
        message=build.message,
    )


def select_outcomes(
    builds: Iterable[Build], preset: Preset, *, reset_at: datetime | None, ended_since: datetime | None, latest: int
) -> Sequence[Build]:
    """Select, from all finished builds of a preset, those that `FleetReads.read_rows` returns."""
    counted = [
        build for build in builds if is_of_version(build, preset) and (reset_at is None or build.created_at > reset_at)
    ]
    judged = {build.created_at for build in counted if build.failure is not FailureClass.CAPACITY}
    attempts = set(sorted(judged, reverse=True)[:latest])
    return [build for build in counted if build.created_at in attempts or _has_ended_since(build, ended_since)]


def _has_ended_since(build: Build, instant: datetime | None) -> bool:
    return instant is not None and build.finished_at is not None and build.finished_at >= instant
