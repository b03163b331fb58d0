"""Which effects a pass needs: they follow from the fleet and the decisions, apart from new ids.

- The order within a preset: first finish what was begun before, then carry out the decision's actions in order, then
  delete the leftovers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from prebuilds.decision.actions import ActionType, ReconciliationActions
from prebuilds.decision.models import PrebuildStatus, Preset, Transition
from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.runtime.deadlines import DeleteStuck, GiveUpStart, StopStart, make_note
from prebuilds.runtime.loop.effects import (
    AddMembership,
    CancelBuild,
    CancelPending,
    CreatePrebuild,
    DeletePrebuild,
    Effect,
    NewId,
    SetPrebuildStatus,
    SubmitBuild,
    make_name,
)
from prebuilds.runtime.loop.fleet import Fleet, calculate_retry_at, is_unsubmitted
from prebuilds.runtime.models import BuildRequest, Workspace


def list_effects(
    fleet: Fleet,
    decision: Decision,
    *,
    now: datetime,
    new_id: NewId,
    has_room: bool = True,
    can_cancel: bool = False,
) -> tuple[Effect, ...]:
    """The effects for one preset, in order. None while reconciliation is paused.

    Without `has_room` the preset waits for room at the builder, and creates nothing. `can_cancel` tells whether the
    builder can stop a build.
    """
    if fleet.is_paused:
        return ()
    return (
        *_give_up_overdue(fleet, decision, can_cancel=can_cancel),
        *_submit_builds(fleet, decision),
        *_set_status(decision),
        *_carry_out(fleet, decision, new_id, has_room=has_room),
        *_delete_leftovers(fleet, decision, now, new_id),
    )


def _give_up_overdue(fleet: Fleet, decision: Decision, *, can_cancel: bool) -> Iterator[Effect]:
    preset_id = decision.preset_id
    for workspace in fleet.list_overdue(preset_id):
        build = workspace.last_build
        if not workspace.retired:
            note = make_note(workspace)
            yield GiveUpStart(preset_id=preset_id, workspace_id=workspace.id, build_id=build.id, note=note)
        elif is_unsubmitted(workspace):
            yield CancelBuild(preset_id=preset_id, build_id=build.id)  # nobody else would end it
        elif can_cancel:
            yield StopStart(preset_id=preset_id, build_id=build.id)


def _submit_builds(fleet: Fleet, decision: Decision) -> Iterator[Effect]:
    left_out = {workspace.id for workspace in fleet.list_overdue(decision.preset_id)}
    for action in (action for action in decision.actions if action.type is ActionType.CANCEL_PENDING):
        left_out |= {workspace.id for workspace in _select_canceled(fleet, decision.preset_id, action)}
    for workspace in fleet.list_unsubmitted(decision.preset_id):
        if workspace.id not in left_out:
            yield _submit_again(decision.snapshot.preset, workspace)


def _submit_again(preset: Preset, workspace: Workspace) -> SubmitBuild | CancelBuild:
    """The same build as requested before, even if the preset has changed since."""
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
    """Mark a preset when it becomes hard-limited, and remove the mark when the limit ends.

    Any other mark belongs to the host, and stays.
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
            yield from _delete_all(fleet, decision, action.delete_ids, new_id)
        elif action.type is ActionType.CANCEL_PENDING:
            yield from _cancel(fleet, decision.preset_id, action)


def _cancel(fleet: Fleet, preset_id: str, action: ReconciliationActions) -> Sequence[Effect]:
    """Cancel all starts that have not begun in one go, or the newest of them one by one."""
    if not action.cancel:
        return [CancelPending(preset_id=preset_id)]
    builds = [workspace.last_build for workspace in _select_canceled(fleet, preset_id, action)]
    return [CancelBuild(preset_id=preset_id, build_id=build.id) for build in builds]


def _select_canceled(fleet: Fleet, preset_id: str, action: ReconciliationActions) -> Sequence[Workspace]:
    """The starts that an action cancels, the newest first."""
    return fleet.list_pending(preset_id)[::-1][: action.cancel or None]


def _delete_all(fleet: Fleet, decision: Decision, ids: Sequence[str], new_id: NewId) -> Iterator[Effect]:
    stuck = {prebuild.id for prebuild in decision.snapshot.stuck}
    late = {workspace.id: workspace for workspace in fleet.list_unready(decision.preset_id) if workspace.id in stuck}
    for workspace_id in ids:
        delete = _delete(decision.preset_id, workspace_id, new_id)
        if workspace_id in late:
            note = make_note(late[workspace_id])
            yield DeleteStuck(preset_id=delete.preset_id, request=delete.request, note=note)
        else:
            yield delete


def _create(fleet: Fleet, snapshot: PresetSnapshot, action: ReconciliationActions, new_id: NewId) -> Iterator[Effect]:
    preset = snapshot.preset
    organization_id = preset.template_version.template.organization_id
    if organization_id and organization_id not in fleet.memberships:
        yield AddMembership(preset_id=preset.id, organization_id=organization_id)
    for _ in range(action.create):
        request = _request_start(preset, new_id(), new_id())
        name = make_name(request.workspace_id)
        yield CreatePrebuild(preset_id=preset.id, name=name, begun_at=snapshot.now, request=request)


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
