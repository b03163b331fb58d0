"""One preset at one instant: the input of the rules.

- Prebuilds are split into good, expired (R2) and stuck ones (R14), each oldest first (R10). A prebuild made with
  another version or other parameters than its preset has now is outdated, and counts as expired.
- All rows belong to the preset, and no prebuild appears twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import attrs

from prebuilds.decision.demand.rows import Demand
from prebuilds.decision.fields import FLAG, NOW, TOTAL, UTC, instance_of, optional, to_tuple, to_utc, tuple_of
from prebuilds.decision.lifetimes.aging import list_aging, list_outlived
from prebuilds.decision.lifetimes.deadlines import split_stuck
from prebuilds.decision.limits import Backoff, HardLimit
from prebuilds.decision.models import InProgress, Prebuild, Preset
from prebuilds.decision.parameters import Parameters
from prebuilds.decision.targets import Target, find_target
from prebuilds.decision.unchecked import make_factory
from prebuilds.errors import InvalidValueError, show

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_created_at = attrgetter("created_at")
rank_by_age = attrgetter("created_at", "id")
"""Sorts prebuilds oldest first, and prebuilds of the same age by id (R10)."""


def _to_oldest_first(value: Any) -> Any:
    rows = to_tuple(value)
    try:
        return tuple(sorted(rows, key=rank_by_age))
    except (TypeError, AttributeError):  # not a collection of prebuilds: left for the validator to refuse
        return rows


@attrs.frozen(kw_only=True)
class PresetSnapshot:
    """One preset at one instant.

    Its prebuilds are already split into good ones (`running`), `expired` ones, and unexpired ones that are `stuck`.
    Each part is sorted oldest first (R10). `pending` counts the jobs that have not started. A preset with a `limit` is
    hard-limited. `demand` has what was claimed (R21). `target` and `aging` are calculated from the rest.
    """

    preset: Preset = attrs.field(validator=instance_of(Preset))
    now: datetime = attrs.field(converter=to_utc, validator=NOW)
    running: tuple[Prebuild, ...] = attrs.field(default=(), converter=_to_oldest_first, validator=tuple_of(Prebuild))
    expired: tuple[Prebuild, ...] = attrs.field(default=(), converter=_to_oldest_first, validator=tuple_of(Prebuild))
    stuck: tuple[Prebuild, ...] = attrs.field(default=(), converter=_to_oldest_first, validator=tuple_of(Prebuild))
    in_progress: tuple[InProgress, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(InProgress))
    pending: int = attrs.field(default=0, validator=TOTAL)
    backoff: Backoff | None = attrs.field(default=None, validator=optional(instance_of(Backoff)))
    is_hard_limited: bool = attrs.field(default=False, validator=FLAG)
    limit: HardLimit | None = attrs.field(default=None, validator=optional(instance_of(HardLimit)))
    demand: Demand | None = attrs.field(default=None, validator=optional(instance_of(Demand)), repr=False)
    target: Target = attrs.field(init=False, eq=False, repr=False)
    aging: tuple[Prebuild, ...] = attrs.field(init=False, eq=False, repr=False)
    """The good prebuilds that will expire soon, and are replaced (R16)."""

    def __attrs_post_init__(self) -> None:
        own = self.preset.id
        for field in ("running", "expired", "stuck", "in_progress"):
            rows = getattr(self, field)
            if any(row.preset_id != own for row in rows):
                raise InvalidValueError("PresetSnapshot", field, rows, f"of the preset {show(own)}")
        for field, row in (("backoff", self.backoff), ("limit", self.limit), ("demand", self.demand)):
            if row is not None and row.preset_id != own:
                raise InvalidValueError("PresetSnapshot", field, row, f"of the preset {show(own)}")
        others = (*self.running, *self.expired)
        if len({prebuild.id for prebuild in others}) < len(others):
            raise InvalidValueError("PresetSnapshot", "running", self.running, "distinct prebuilds, none in `expired`")
        if len({prebuild.id for prebuild in (*others, *self.stuck)}) < len(others) + len(self.stuck):
            allowed = "distinct prebuilds, none in `running` or `expired`"
            raise InvalidValueError("PresetSnapshot", "stuck", self.stuck, allowed)
        object.__setattr__(self, "is_hard_limited", self.is_hard_limited or self.limit is not None)
        object.__setattr__(self, "target", find_target(self.preset, self.now, self.demand))
        object.__setattr__(self, "aging", list_aging(self.preset, self.running, self.now))


_make_preset_snapshot = make_factory(
    PresetSnapshot,
    (
        "preset",
        "now",
        "running",
        "expired",
        "stuck",
        "in_progress",
        "pending",
        "backoff",
        "is_hard_limited",
        "limit",
        "demand",
        "target",
        "aging",
    ),
)


def take_preset_snapshot(
    preset: Preset,
    now: datetime,
    prebuilds: tuple[Prebuild, ...],
    *,
    outdated: tuple[Prebuild, ...] = (),
    in_progress: tuple[InProgress, ...],
    pending: int,
    backoff: Backoff | None,
    is_hard_limited: bool,
    limit: HardLimit | None = None,
    demand: Demand | None = None,
) -> PresetSnapshot:
    """A preset with its own rows at a valid instant; the prebuilds are sorted oldest first (R2, R10).

    `outdated` has the outdated ones among the prebuilds.
    """
    unexpired, expired = _split(preset, now, prebuilds, outdated)
    running, stuck = split_stuck(preset, unexpired, now)
    return _make_preset_snapshot(
        preset,
        now,
        running,
        expired,
        stuck,
        in_progress,
        pending,
        backoff,
        is_hard_limited or limit is not None,
        limit,
        demand,
        find_target(preset, now, demand),
        list_aging(preset, running, now),
    )


def _split(
    preset: Preset, now: datetime, prebuilds: tuple[Prebuild, ...], outdated: tuple[Prebuild, ...]
) -> tuple[tuple[Prebuild, ...], tuple[Prebuild, ...]]:
    """The good prebuilds and the expired ones, both in the given order."""
    split = count_expired(preset, prebuilds, now)
    outlived = list_outlived(preset, prebuilds[split:], now)
    if not outdated and not outlived:
        return prebuilds[split:], prebuilds[:split]
    ids = {prebuild.id for prebuild in (*outdated, *outlived)}
    good = tuple([prebuild for prebuild in prebuilds[split:] if prebuild.id not in ids])
    late = tuple([prebuild for prebuild in prebuilds[split:] if prebuild.id in ids])
    return good, (*prebuilds[:split], *late)


def set_stage(preset: Preset, *, is_active: bool = False, is_candidate: bool = False) -> Preset:
    """The preset once its template version is active, a candidate (R17), or neither."""
    version = attrs.evolve(preset.template_version, is_active=is_active, is_candidate=is_candidate)
    return attrs.evolve(preset, template_version=version)


def is_outdated(preset: Preset, prebuild: Prebuild) -> bool:
    """Whether a prebuild was given up, or made with another version or other parameters than its preset has now (R2).

    What is unknown counts as equal.
    """
    return prebuild.retired or is_made_otherwise(preset, prebuild.template_version_id, prebuild.parameters)


def is_made_otherwise(preset: Preset, template_version_id: str, parameters: Parameters | None) -> bool:
    """Whether this version or these parameters differ from the preset's; what is unknown counts as equal."""
    wanted = preset.template_version.id
    if template_version_id != wanted and template_version_id and wanted:
        return True
    return parameters is not None and parameters != preset.parameters


def calculate_expiry_cutoff(preset: Preset, now: datetime) -> datetime | None:
    """Prebuilds created before this instant have expired at `now`; None if there is no such instant (R2).

    It is the later of `now - ttl` and `last_invalidated_at`, if that is not in the future. A prebuild exactly as old as
    the ttl is still good. With a `ttl_jitter`, others have expired too: see `has_outlived` (R16).
    """
    invalidated = preset.last_invalidated_at
    if invalidated is not None and invalidated > now:
        invalidated = None
    if not preset.ttl or preset.ttl > now - _EARLIEST:
        return invalidated
    outlived = now - preset.ttl
    return outlived if invalidated is None else max(invalidated, outlived)


def count_expired(preset: Preset, prebuilds: Sequence[Prebuild], now: datetime) -> int:
    """How many of these prebuilds, sorted oldest first, were created before the cutoff; they come first."""
    cutoff = calculate_expiry_cutoff(preset, now)
    return 0 if cutoff is None else bisect_left(prebuilds, cutoff, key=_created_at)
