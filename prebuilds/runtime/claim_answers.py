"""What a claim answers."""

from __future__ import annotations

from enum import Enum

import attrs

from prebuilds.decision.fields import FLAG, ID, instance_of, member_of, optional
from prebuilds.runtime.models import Workspace


class MissReason(Enum):
    """Why a claim got nothing."""

    NONE_ELIGIBLE = "none_eligible"
    """No prebuild of the preset is ready and unexpired."""
    INACTIVE_PRESET = "inactive_preset"
    """The preset's version is not the active one, a candidate included, or its template is deleted or deprecated."""
    RELEASED = "released"
    """The request was answered before, and its workspace has been released since."""


@attrs.frozen(kw_only=True)
class Claim:
    """The result of a claim: the workspace that the user has now, or the reason why there is none.

    `is_repeated` says that this request id was used before, and that the answer is the one from then.
    """

    preset_id: str = attrs.field(validator=ID)
    workspace: Workspace | None = attrs.field(default=None, validator=optional(instance_of(Workspace)))
    reason: MissReason | None = attrs.field(default=None, validator=optional(member_of(MissReason)))
    is_repeated: bool = attrs.field(default=False, validator=FLAG)
