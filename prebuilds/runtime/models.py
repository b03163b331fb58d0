"""What the runtime reads and writes: workspaces, their builds, messages, leases.

- Every model is frozen, keyword-only and checked when made, like those of the decision.
- A workspace is a prebuild while the prebuilds user owns it. A claim changes its owner.
- The last build of a workspace tells its state. Nothing else about its progress is stored.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import Enum

import attrs

from prebuilds.decision.fields import (
    COUNT,
    FLAG,
    ID,
    INSTANT,
    TEXT,
    TOTAL,
    check,
    instance_of,
    member_of,
    optional,
    to_utc,
)
from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.decision.parameters import PARAMETERS, Parameters, to_optional_parameters, to_parameters
from prebuilds.decision.policies.failures import FailureClass
from prebuilds.errors import InvalidValueError

PREBUILDS_USER_ID = "prebuilds"
"""The owner of every workspace that nobody has claimed."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL cannot store NUL; no encoding can express a lone surrogate
_POSITIVE = check("a whole number of 1 or more", lambda value: type(value) is int and value >= 1)
_BODY = check(
    "text without NUL characters and lone surrogates",
    lambda value: isinstance(value, str) and not _UNSTORABLE.search(value),
)


@attrs.frozen(kw_only=True)
class BuildRequest:
    """A request to the host's builder. `build_id` makes a repeated request harmless.

    A start names its preset, template version and parameters. A delete names none of them, as an older version may have
    made the workspace. It runs with the version of the workspace's last build.
    """

    build_id: str = attrs.field(validator=ID)
    workspace_id: str = attrs.field(validator=ID)
    transition: Transition = attrs.field(validator=member_of(Transition))
    preset_id: str | None = attrs.field(default=None, validator=optional(ID))
    template_version_id: str | None = attrs.field(default=None, validator=optional(TEXT))
    parameters: Parameters = attrs.field(default=(), converter=to_parameters, validator=PARAMETERS)

    def __attrs_post_init__(self) -> None:
        is_start = self.transition is Transition.START
        for field in ("preset_id", "template_version_id"):
            value = getattr(self, field)
            if is_start != (value is not None):
                allowed = f"{'given' if is_start else 'left out'}, as the build is a {self.transition.value}"
                raise InvalidValueError("BuildRequest", field, value, allowed)
        if self.parameters and not is_start:
            allowed = f"left out, as the build is a {self.transition.value}"
            raise InvalidValueError("BuildRequest", "parameters", self.parameters, allowed)


@attrs.frozen(kw_only=True)
class NewPrebuild:
    """A prebuild to be added: its name, and the request for its start."""

    name: str = attrs.field(validator=ID)
    request: BuildRequest = attrs.field(validator=instance_of(BuildRequest))

    def __attrs_post_init__(self) -> None:
        if self.request.transition is not Transition.START:
            raise InvalidValueError("NewPrebuild", "request", self.request.transition, "the request for a start")


@attrs.frozen(kw_only=True)
class WorkspaceBuild:
    """One build of a workspace. `number` counts the builds of the workspace from 1.

    `template_version_id` is the version that it runs with, named or resolved. `submitted` tells whether the host's
    builder has accepted it; if not, it is submitted again. `finished_at` is set if and only if the status is final.
    `failure` and `message` say why it failed, if it did.
    """

    id: str = attrs.field(validator=ID)
    number: int = attrs.field(validator=_POSITIVE)
    transition: Transition = attrs.field(validator=member_of(Transition))
    status: BuildStatus = attrs.field(validator=member_of(BuildStatus))
    template_version_id: str = attrs.field(validator=TEXT)
    created_at: datetime = attrs.field(converter=to_utc, validator=INSTANT)
    finished_at: datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(INSTANT))
    submitted: bool = attrs.field(default=False, validator=FLAG)
    failure: FailureClass = attrs.field(default=FailureClass.TRANSIENT, validator=member_of(FailureClass))
    message: str = attrs.field(default="", validator=TEXT)

    def __attrs_post_init__(self) -> None:
        if self.status.is_final != (self.finished_at is not None):
            allowed = f"{'an instant' if self.status.is_final else 'None'}, as the build is {self.status.value}"
            raise InvalidValueError("WorkspaceBuild", "finished_at", self.finished_at, allowed)


@attrs.frozen(kw_only=True)
class Workspace:
    """A workspace that is or was a prebuild, with its last build.

    `ready` tells whether a user could work in it. `parameters` are those that its start was requested with, or None if
    they are unknown. A `retired` workspace was given up: no user gets it, and it will be deleted. `failed_deletes`
    counts the delete builds that failed in a row, up to the last build.
    """

    id: str = attrs.field(validator=ID)
    name: str = attrs.field(validator=TEXT)
    owner_id: str = attrs.field(default=PREBUILDS_USER_ID, validator=ID)
    preset_id: str = attrs.field(validator=ID)
    template_id: str = attrs.field(default="", validator=TEXT)
    parameters: Parameters | None = attrs.field(
        default=None, converter=to_optional_parameters, validator=optional(PARAMETERS)
    )
    created_at: datetime = attrs.field(converter=to_utc, validator=INSTANT)
    ready: bool = attrs.field(default=False, validator=FLAG)
    retired: bool = attrs.field(default=False, validator=FLAG)
    deleted: bool = attrs.field(default=False, validator=FLAG)
    last_build: WorkspaceBuild = attrs.field(validator=instance_of(WorkspaceBuild))
    failed_deletes: int = attrs.field(default=0, validator=COUNT)

    @property
    def is_prebuild(self) -> bool:
        """Whether nobody has claimed it."""
        return self.owner_id == PREBUILDS_USER_ID

    @property
    def has_started(self) -> bool:
        """Whether its start succeeded and no other build was requested since."""
        build = self.last_build
        return not self.deleted and build.transition is Transition.START and build.status is BuildStatus.SUCCEEDED

    @property
    def is_running(self) -> bool:
        """Whether it has started and was not given up."""
        return self.has_started and not self.retired


class ClaimOrder(Enum):
    """Which of several prebuilds a claim takes."""

    OLDEST_FIRST = "oldest_first"
    """The first by (created_at, id)."""
    NEWEST_FIRST = "newest_first"
    """The last by (created_at, id)."""


@attrs.frozen(kw_only=True)
class ClaimRequest:
    """Which prebuild to take, and for whom.

    The prebuild matches its preset as it is now (R2), runs, is ready, and was created at `created_since` or later if
    that is given. Of several, `order` says which one.
    """

    preset_id: str = attrs.field(validator=ID)
    created_since: datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(INSTANT))
    order: ClaimOrder = attrs.field(default=ClaimOrder.OLDEST_FIRST, validator=member_of(ClaimOrder))
    owner_id: str = attrs.field(validator=ID)
    name: str = attrs.field(validator=ID)
    request_id: str | None = attrs.field(default=None, validator=optional(ID))
    claimed_at: datetime = attrs.field(converter=to_utc, validator=INSTANT)

    def __attrs_post_init__(self) -> None:
        if self.owner_id == PREBUILDS_USER_ID:
            raise InvalidValueError("ClaimRequest", "owner_id", self.owner_id, "a user other than the prebuilds user")


@attrs.frozen(kw_only=True)
class Message:
    """A notice to the listeners of a topic. It may come twice or late, so they look up what it says."""

    topic: str = attrs.field(validator=ID)
    body: str = attrs.field(default="", validator=_BODY)


@attrs.frozen(kw_only=True)
class OutboxEntry:
    """A message that waits in the outbox. Ids increase in the order in which entries were written."""

    id: int = attrs.field(validator=TOTAL)
    message: Message = attrs.field(validator=instance_of(Message))


@attrs.frozen(kw_only=True)
class Lease:
    """The right to reconcile until `expires_at`. Its `token` is larger than those of all earlier leases."""

    name: str = attrs.field(validator=ID)
    holder: str = attrs.field(validator=ID)
    token: int = attrs.field(validator=_POSITIVE)
    expires_at: datetime = attrs.field(converter=to_utc, validator=INSTANT)


class Counter(Enum):
    """What is counted for each preset, from the beginning."""

    CREATED = "created"
    """Prebuilds that were requested of the host's builder."""
    FAILED = "failed"
    """Start builds of prebuilds that failed."""
    CLAIMED = "claimed"
    """Prebuilds that users got."""
    CLAIM_MISSED = "claim_missed"
    """Claims that found no prebuild."""
    RESOURCE_REPLACED = "resource_replaced"
    """Prebuilds that needed a resource replaced when they were claimed, as reported by the host."""


@attrs.frozen(kw_only=True)
class CounterValue:
    """The value of one counter for a preset."""

    preset_id: str = attrs.field(validator=ID)
    counter: Counter = attrs.field(validator=member_of(Counter))
    value: int = attrs.field(validator=TOTAL)


@attrs.frozen(kw_only=True)
class ClaimCount:
    """How many claims of a preset came in a minute, which `minute` begins: hits got a prebuild, and misses got none."""

    preset_id: str = attrs.field(validator=ID)
    minute: datetime = attrs.field(converter=to_utc, validator=INSTANT)
    hits: int = attrs.field(validator=TOTAL)
    misses: int = attrs.field(validator=TOTAL)


def find_minute(at: datetime) -> datetime:
    """When the minute of an instant in UTC began."""
    return at.replace(second=0, microsecond=0)
