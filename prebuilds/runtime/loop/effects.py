"""Effects: the steps of a pass. Each is a plain value. Those of one kind that follow each other are one batch.

- An effect names everything that it needs. Carrying it out twice has the same result as once.
- As each is a value, a test can stop between any two.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs

from prebuilds.decision.fields import ID, INSTANT, instance_of, member_of
from prebuilds.decision.models import PrebuildStatus
from prebuilds.runtime.deadlines import DeleteStuck, GiveUpStart, StopStart
from prebuilds.runtime.models import BuildRequest

NewId = Callable[[], str]
"""Returns an id that was never used before."""


@attrs.frozen(kw_only=True)
class SubmitBuild:
    """Hand a build that was requested earlier to the host's builder."""

    preset_id: str = attrs.field(validator=ID)
    request: BuildRequest = attrs.field(validator=instance_of(BuildRequest))
    template_version_id: str = attrs.field(validator=instance_of(str))


@attrs.frozen(kw_only=True)
class CancelBuild:
    """Cancel a start that was requested earlier: it is wanted no more, or its parameters are unknown."""

    preset_id: str = attrs.field(validator=ID)
    build_id: str = attrs.field(validator=ID)


@attrs.frozen(kw_only=True)
class SetPrebuildStatus:
    """Set the status that people see of the preset's prebuilds."""

    preset_id: str = attrs.field(validator=ID)
    status: PrebuildStatus = attrs.field(validator=member_of(PrebuildStatus))


@attrs.frozen(kw_only=True)
class CancelPending:
    """Cancel the starts that have not begun, as the preset is inactive."""

    preset_id: str = attrs.field(validator=ID)


@attrs.frozen(kw_only=True)
class AddMembership:
    """Make the prebuilds user a member of the organisation, as its workspaces require."""

    preset_id: str = attrs.field(validator=ID)
    organization_id: str = attrs.field(validator=ID)


@attrs.frozen(kw_only=True)
class CreatePrebuild:
    """Add a prebuild and start it, if the planned version is still active.

    `begun_at` is the instant of the plan. All builds of one pass are one attempt, so it is their `created_at`.
    """

    preset_id: str = attrs.field(validator=ID)
    name: str = attrs.field(validator=ID)
    begun_at: datetime = attrs.field(validator=INSTANT)
    request: BuildRequest = attrs.field(validator=instance_of(BuildRequest))


@attrs.frozen(kw_only=True)
class DeletePrebuild:
    """Delete a workspace by a build, if it is still a prebuild."""

    preset_id: str = attrs.field(validator=ID)
    request: BuildRequest = attrs.field(validator=instance_of(BuildRequest))


Effect = (
    SubmitBuild
    | CancelBuild
    | SetPrebuildStatus
    | CancelPending
    | AddMembership
    | CreatePrebuild
    | DeletePrebuild
    | DeleteStuck
    | GiveUpStart
    | StopStart
)


KINDS: dict[type[Effect], str] = {
    SubmitBuild: "submit",
    CancelBuild: "cancel",
    SetPrebuildStatus: "mark",
    CancelPending: "cancel pending",
    AddMembership: "add membership",
    CreatePrebuild: "create",
    DeletePrebuild: "delete",
    DeleteStuck: "delete stuck",
    GiveUpStart: "give up",
    StopStart: "stop",
}
"""What each kind of effect is called in logs."""


def make_name(workspace_id: str) -> str:
    """The name of a workspace that nobody has claimed."""
    return f"prebuild-{workspace_id}"
