"""Effects: what a pass does, each a plain value that is carried out in a transaction of its own.

- A list of effects follows from the fleet and the plan alone, ids aside. So a test can stop between any two.
- An effect names everything that it needs. Doing one twice is the same as doing it once.
- The order within a preset: what was begun before is finished, then the decision's actions in their order, then what
  is left over is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import attrs

from prebuilds.decision.actions import ActionType, ReconciliationActions
from prebuilds.decision.fields import ID, INSTANT, instance_of, member_of
from prebuilds.decision.models import PrebuildStatus, Preset, Transition
from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.runtime.loop.fleet import Fleet, calculate_retry_at, is_pending_start
from prebuilds.runtime.models import BuildRequest, Workspace

NewId = Callable[[], str]
"""Gives an id that was never used before."""


@attrs.frozen(kw_only=True)
class SubmitBuild:
    """Hand a build, which was requested before, to the host's builder."""

    preset_id: str = attrs.field(validator=ID)
    request: BuildRequest = attrs.field(validator=instance_of(BuildRequest))
    template_version_id: str = attrs.field(validator=instance_of(str))


@attrs.frozen(kw_only=True)
class CancelBuild:
    """Cancel a start that was requested before and cannot be handed over, as nobody knows what it was to be made
    with."""

    preset_id: str = attrs.field(validator=ID)
    build_id: str = attrs.field(validator=ID)


@attrs.frozen(kw_only=True)
class SetPrebuildStatus:
    """Note how the preset's prebuilds fare."""

    preset_id: str = attrs.field(validator=ID)
    status: PrebuildStatus = attrs.field(validator=member_of(PrebuildStatus))


@attrs.frozen(kw_only=True)
class CancelPending:
    """Cancel the starts that have not begun, as the preset is inactive."""

    preset_id: str = attrs.field(validator=ID)


@attrs.frozen(kw_only=True)
class AddMembership:
    """Make the prebuilds user a member of the organisation, which its workspaces need."""

    preset_id: str = attrs.field(validator=ID)
    organization_id: str = attrs.field(validator=ID)


@attrs.frozen(kw_only=True)
class CreatePrebuild:
    """Add a prebuild and have it started, if the version that was planned is still the active one.

    `begun_at` is the instant of the plan. All builds of one pass have it as their `created_at`, as they are one
    attempt.
    """

    preset_id: str = attrs.field(validator=ID)
    name: str = attrs.field(validator=ID)
    begun_at: datetime = attrs.field(validator=INSTANT)
    request: BuildRequest = attrs.field(validator=instance_of(BuildRequest))


@attrs.frozen(kw_only=True)
class DeletePrebuild:
    """Have a prebuild deleted, if it still is one."""

    preset_id: str = attrs.field(validator=ID)
    request: BuildRequest = attrs.field(validator=instance_of(BuildRequest))


Effect = SubmitBuild | CancelBuild | SetPrebuildStatus | CancelPending | AddMembership | CreatePrebuild | DeletePrebuild


def list_effects(
    fleet: Fleet, decision: Decision, *, now: datetime, new_id: NewId, has_room: bool = True
) -> tuple[Effect, ...]:
    """What is to be done for one preset, in order. Nothing while reconciliation is paused.

    Nothing is created while the preset waits for the builder to have room, `has_room` False.
    """
    if fleet.is_paused:
        return ()
    return (
        *_submit_builds(fleet, decision),
        *_set_status(decision),
        *_carry_out(fleet, decision, new_id, has_room=has_room),
        *_delete_leftovers(fleet, decision, now, new_id),
    )


def _submit_builds(fleet: Fleet, decision: Decision) -> Iterator[Effect]:
    is_canceling = any(action.type is ActionType.CANCEL_PENDING for action in decision.actions)
    for workspace in fleet.list_unsubmitted(decision.preset_id):
        if not (is_canceling and is_pending_start(workspace)):
            yield _submit_again(decision.snapshot.preset, workspace)


def _submit_again(preset: Preset, workspace: Workspace) -> SubmitBuild | CancelBuild:
    """The same as was requested before, whatever has become of the preset since."""
    build, is_start = workspace.last_build, workspace.last_build.transition is Transition.START
    if is_start and workspace.parameters is None and build.template_version_id != preset.template_version.id:
        return CancelBuild(preset_id=preset.id, build_id=build.id)
    request = BuildRequest(
        build_id=build.id,
        workspace_id=workspace.id,
        transition=build.transition,
        preset_id=preset.id if is_start else None,
        template_version_id=build.template_version_id if is_start else None,
        parameters=(preset.parameters if workspace.parameters is None else workspace.parameters) if is_start else (),
    )
    return SubmitBuild(preset_id=preset.id, request=request, template_version_id=build.template_version_id)


def _set_status(decision: Decision) -> Iterator[Effect]:
    """Mark a hard-limited preset once, and take the mark away when it is limited no more.

    Any other mark is the host's own, and stays.
    """
    limited, status = decision.snapshot.is_hard_limited, decision.snapshot.preset.prebuild_status
    if limited and status is PrebuildStatus.HEALTHY:
        yield SetPrebuildStatus(preset_id=decision.preset_id, status=PrebuildStatus.HARD_LIMITED)
    elif not limited and status is PrebuildStatus.HARD_LIMITED:
        yield SetPrebuildStatus(preset_id=decision.preset_id, status=PrebuildStatus.HEALTHY)


def _carry_out(fleet: Fleet, decision: Decision, new_id: NewId, *, has_room: bool) -> Iterator[Effect]:
    for action in decision.actions:
        if action.type is ActionType.CREATE and not has_room:
            continue
        if action.type is ActionType.CREATE:
            yield from _create(fleet, decision.snapshot, action, new_id)
        elif action.type is ActionType.DELETE:
            for workspace_id in action.delete_ids:
                yield _delete(decision.preset_id, workspace_id, new_id)
        elif action.type is ActionType.CANCEL_PENDING:
            yield CancelPending(preset_id=decision.preset_id)


def _create(fleet: Fleet, snapshot: PresetSnapshot, action: ReconciliationActions, new_id: NewId) -> Iterator[Effect]:
    preset = snapshot.preset
    organization_id = preset.template_version.template.organization_id
    if organization_id and organization_id not in fleet.memberships:
        yield AddMembership(preset_id=preset.id, organization_id=organization_id)
    for _ in range(action.create):
        request = _request_start(preset, new_id(), new_id())
        name = make_name(request.workspace_id)
        yield CreatePrebuild(preset_id=preset.id, name=name, begun_at=snapshot.now, request=request)


def make_name(workspace_id: str) -> str:
    """What a workspace is called while nobody has it."""
    return f"prebuild-{workspace_id}"


def _request_start(preset: Preset, build_id: str, workspace_id: str) -> BuildRequest:
    return BuildRequest(
        build_id=build_id,
        workspace_id=workspace_id,
        transition=Transition.START,
        preset_id=preset.id,
        template_version_id=preset.template_version.id,
        parameters=preset.parameters,
    )


def _delete(preset_id: str, workspace_id: str, new_id: NewId) -> DeletePrebuild:
    request = BuildRequest(build_id=new_id(), workspace_id=workspace_id, transition=Transition.DELETE)
    return DeletePrebuild(preset_id=preset_id, request=request)


def _delete_leftovers(fleet: Fleet, decision: Decision, now: datetime, new_id: NewId) -> Iterator[Effect]:
    for workspace in fleet.list_leftovers(decision.preset_id):
        if calculate_retry_at(workspace, decision.policy, now) <= now:
            yield _delete(decision.preset_id, workspace.id, new_id)
