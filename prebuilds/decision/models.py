"""What a control plane tells the decision: templates, presets, prebuilds, and builds in progress.

- Every model is frozen, slotted and keyword-only. None holds a list, a clock or a connection.
- A wrong value raises `InvalidValueError` when the model is made. A model that exists is valid.
- Ids are opaque text. Instants are aware, and kept in UTC. Durations are `timedelta`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

import attrs

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.fields import (
    COUNT,
    DISTINCT_IDS,
    DURATION,
    FLAG,
    ID,
    INSTANT,
    POSITIVE_DURATION,
    SHARE,
    TEXT,
    check,
    instance_of,
    member_of,
    optional,
    to_tuple,
    to_utc,
    tuple_of,
)
from prebuilds.decision.parameters import PARAMETERS, Parameters, to_optional_parameters, to_parameters
from prebuilds.decision.policies.failures import FailureClass
from prebuilds.decision.schedules.schedule import Precedence, Schedule, to_precedence
from prebuilds.errors import InvalidValueError


class Transition(Enum):
    """What a build does to its workspace."""

    START = "start"
    STOP = "stop"
    DELETE = "delete"


class PrebuildStatus(Enum):
    """What the control plane last noted about a preset's prebuilds. It is for people; no decision reads it."""

    HEALTHY = "healthy"
    HARD_LIMITED = "hard_limited"
    VALIDATION_FAILED = "validation_failed"


class BuildStatus(Enum):
    """The status of a build. SUCCEEDED, FAILED and CANCELED are final."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return self not in (BuildStatus.PENDING, BuildStatus.RUNNING)


_MAX_SCHEDULES = 100  # as every pair is compared
_FEW_SCHEDULES = check(f"a collection of at most {_MAX_SCHEDULES}", lambda value: len(value) <= _MAX_SCHEDULES)


@attrs.frozen(kw_only=True)
class Template:
    """What workspaces are made from. A deleted or deprecated template keeps no prebuilds."""

    id: str = attrs.field(default="", validator=TEXT)
    name: str = attrs.field(default="", validator=TEXT)
    organization_id: str = attrs.field(default="", validator=TEXT)
    organization_name: str = attrs.field(default="", validator=TEXT)
    deleted: bool = attrs.field(default=False, validator=FLAG)
    deprecated: bool = attrs.field(default=False, validator=FLAG)


@attrs.frozen(kw_only=True)
class TemplateVersion:
    """One version of a template. `is_active` says whether new workspaces are made from it.

    The presets of an `is_candidate` version are filled as if it were active, but nobody can claim their prebuilds
    (R17). An active version is no candidate.
    """

    id: str = attrs.field(default="", validator=TEXT)
    name: str = attrs.field(default="", validator=TEXT)
    template: Template = attrs.field(factory=Template, validator=instance_of(Template))
    is_active: bool = attrs.field(default=True, validator=FLAG)
    is_candidate: bool = attrs.field(default=False, validator=FLAG)

    def __attrs_post_init__(self) -> None:
        if self.is_candidate and self.is_active:
            allowed = "False, as the version is active; a candidate has is_active=False"
            raise InvalidValueError("TemplateVersion", "is_candidate", True, allowed)  # noqa: FBT003


@attrs.frozen(kw_only=True)
class Preset:
    """How many prebuilds to keep for one set of parameters of one template version.

    `ttl` is how long a prebuild stays good after its creation; None and zero mean for ever. From `last_invalidated_at`
    on, every prebuild created before that instant has expired (R2); the instant may be in the future. `timezone` is an
    IANA name; only schedules need it. `precedence`, or its value as text, is for windows that overlap (R20).

    A prebuild that is not ready `ready_deadline` after its start ended is stuck, and a start that has not ended
    `build_deadline` after it began is overdue (R14). None means no deadline.

    `ttl_jitter` is the share by which a prebuild's own ttl is shorter at most, by a hash of its id. A prebuild that
    will expire within `refresh_ahead` is aging: it is replaced beforehand, with at most `max_surge` above the target at
    a time (R16). None means never ahead, and no bound.

    With an `autoscale`, the target follows what is claimed, from the larger count of the preset and its open schedule
    up to `autoscale.max_instances` (R21).
    """

    id: str = attrs.field(validator=ID)
    name: str = attrs.field(default="", validator=TEXT)
    template_version: TemplateVersion = attrs.field(factory=TemplateVersion, validator=instance_of(TemplateVersion))
    desired_instances: int = attrs.field(validator=COUNT)
    ttl: timedelta | None = attrs.field(default=None, validator=optional(DURATION))
    timezone: str | None = attrs.field(default=None, validator=optional(TEXT))
    schedules: tuple[Schedule, ...] = attrs.field(
        default=(), converter=to_tuple, validator=[tuple_of(Schedule), _FEW_SCHEDULES]
    )
    precedence: Precedence = attrs.field(
        default=Precedence.FALL_BACK, converter=to_precedence, validator=member_of(Precedence)
    )
    last_invalidated_at: datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(INSTANT))
    prebuild_status: PrebuildStatus = attrs.field(default=PrebuildStatus.HEALTHY, validator=member_of(PrebuildStatus))
    parameters: Parameters = attrs.field(default=(), converter=to_parameters, validator=PARAMETERS)
    ready_deadline: timedelta | None = attrs.field(default=None, validator=optional(POSITIVE_DURATION))
    build_deadline: timedelta | None = attrs.field(default=None, validator=optional(POSITIVE_DURATION))
    ttl_jitter: float = attrs.field(default=0.0, validator=SHARE)
    refresh_ahead: timedelta | None = attrs.field(default=None, validator=optional(POSITIVE_DURATION))
    max_surge: int | None = attrs.field(default=None, validator=optional(COUNT))
    autoscale: Autoscale | None = attrs.field(default=None, validator=optional(instance_of(Autoscale)))
    is_active: bool = attrs.field(init=False, eq=False, repr=False)
    """Whether users get its prebuilds: the version is active and the template neither deleted nor deprecated."""
    is_wanted: bool = attrs.field(init=False, eq=False, repr=False)
    """Whether prebuilds are kept for it: it is active, or would be if its version, a candidate, were (R17)."""

    def __attrs_post_init__(self) -> None:
        version, template = self.template_version, self.template_version.template
        is_gone = template.deleted or template.deprecated
        object.__setattr__(self, "is_active", version.is_active and not is_gone)
        object.__setattr__(self, "is_wanted", (version.is_active or version.is_candidate) and not is_gone)
        if self.autoscale:
            self.autoscale.require_room([self.desired_instances, *(each.instances for each in self.schedules)])


@attrs.frozen(kw_only=True)
class Prebuild:
    """A running prebuilt workspace that nobody has claimed. `ready` says whether a user could have it now.

    `template_version_id` and `parameters` are what it was made with. If they differ from the preset's, the prebuild is
    outdated and has expired (R2). An empty version and None for the parameters mean unknown. A `retired` prebuild was
    given up, and has expired too. `started_at` is when its start ended; None means unknown.
    """

    id: str = attrs.field(validator=ID)
    name: str = attrs.field(default="", validator=TEXT)
    preset_id: str = attrs.field(validator=ID)
    template_id: str = attrs.field(default="", validator=TEXT)
    template_version_id: str = attrs.field(default="", validator=TEXT)
    parameters: Parameters | None = attrs.field(
        default=None, converter=to_optional_parameters, validator=optional(PARAMETERS)
    )
    created_at: datetime = attrs.field(converter=to_utc, validator=INSTANT)
    ready: bool = attrs.field(default=False, validator=FLAG)
    retired: bool = attrs.field(default=False, validator=FLAG)
    started_at: datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(INSTANT))


@attrs.frozen(kw_only=True)
class InProgress:
    """How many prebuilds of a preset are being started, stopped or deleted; `ids` has those that are known.

    `overdue` tells how many of these starts are overdue (R14). If instead `began_at` tells when all of them began, this
    follows from the preset's `build_deadline`; None means unknown.
    """

    preset_id: str = attrs.field(validator=ID)
    transition: Transition = attrs.field(validator=member_of(Transition))
    count: int = attrs.field(validator=COUNT)
    ids: tuple[str, ...] = attrs.field(default=(), converter=to_tuple, validator=DISTINCT_IDS)
    overdue: int = attrs.field(default=0, validator=COUNT)
    began_at: datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(INSTANT))

    def __attrs_post_init__(self) -> None:
        most = self.count if self.transition is Transition.START else 0
        if self.overdue > most:
            allowed = f"at most {most}, the number of starts in this row"
            raise InvalidValueError("InProgress", "overdue", self.overdue, allowed)


@attrs.frozen(kw_only=True)
class Pending:
    """How many provisioner jobs of a preset are queued and have not started."""

    preset_id: str = attrs.field(validator=ID)
    count: int = attrs.field(validator=COUNT)


@attrs.frozen(kw_only=True)
class Build:
    """One past or current build of a prebuild. `finished_at` is set if and only if the status is final.

    Builds begun in one pass have the same `created_at`. An empty `template_version_id` means unknown. `failure` and
    `message` say why a build failed (R19).
    """

    id: str = attrs.field(validator=ID)
    preset_id: str = attrs.field(validator=ID)
    template_version_id: str = attrs.field(default="", validator=TEXT)
    transition: Transition = attrs.field(default=Transition.START, validator=member_of(Transition))
    status: BuildStatus = attrs.field(validator=member_of(BuildStatus))
    created_at: datetime = attrs.field(converter=to_utc, validator=INSTANT)
    finished_at: datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(INSTANT))
    failure: FailureClass = attrs.field(default=FailureClass.TRANSIENT, validator=member_of(FailureClass))
    message: str = attrs.field(default="", validator=TEXT)

    def __attrs_post_init__(self) -> None:
        status, finished_at = self.status, self.finished_at
        if status.is_final and (finished_at is None or finished_at < self.created_at):
            allowed = f"an instant from created_at on, as the build is {status.value}"
        elif not status.is_final and finished_at is not None:
            allowed = f"None, as the build is {status.value}"
        else:
            return
        raise InvalidValueError("Build", "finished_at", finished_at, allowed)
