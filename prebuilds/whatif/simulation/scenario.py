"""Scenarios: what a simulation assumes about a fleet, its builds, its loop and its users.

- The builder has room for every build, and each build begins at once. Presets affect each other only through the
  budgets of the policy.
- A fleet is described with the models of `prebuilds.decision`, and with nothing else.
- A scenario has no random source and no clock. `simulate` takes the seed and the claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import attrs

from prebuilds.decision.fields import (
    FLAG,
    ID,
    MAX_DURATION,
    NOW,
    TEXT,
    check,
    instance_of,
    optional,
    to_tuple,
    to_utc,
    tuple_of,
)
from prebuilds.decision.models import Preset
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.snapshots import GlobalSnapshot
from prebuilds.errors import InvalidValueError, UnknownPresetError, show
from prebuilds.whatif.simulation.draws import MishapRates
from prebuilds.whatif.traces.lead_times import LeadTime, to_lead_time
from prebuilds.whatif.traces.on_miss import OnMiss, to_on_miss

SnapshotEdit = Callable[[GlobalSnapshot], GlobalSnapshot] | Mapping[str, Mapping[str, Any]]
"""A change to a snapshot: a function that returns the changed one, or the changed fields of presets by their ids."""

LeadTimes = tuple[tuple[str, LeadTime], ...]

_MOST_INSTANCES = 1_000_000
_SECOND = timedelta(seconds=1)
_ROUNDING = 1e-9
_INTERVAL = check(
    f"a timedelta from 1 second to {MAX_DURATION.days} days",
    lambda value: isinstance(value, timedelta) and _SECOND <= value <= MAX_DURATION,
)
_SHARE = check("a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1)
_LEAD_TIME = check(
    "a timedelta of 0 or more, a lead time such as LognormalLeadTime, or a mapping of preset ids to them",
    lambda value: _is_lead_times(value) if type(value) is tuple else isinstance(value, LeadTime),
)


def _is_lead_times(value: tuple[Any, ...]) -> bool:
    return all(isinstance(preset_id, str) and isinstance(lead_time, LeadTime) for preset_id, lead_time in value)


def _to_lead_times(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return to_lead_time(value)
    return tuple((preset_id, to_lead_time(lead_time)) for preset_id, lead_time in value.items())


def _to_fleet(value: Any) -> Any:
    presets = (value,) if isinstance(value, Preset) else to_tuple(value)
    is_presets = type(presets) is tuple and all(isinstance(preset, Preset) for preset in presets)
    return GlobalSnapshot(presets=presets) if is_presets else value


@attrs.frozen(kw_only=True)
class Promotion:
    """At this instant a new version of a template becomes the active one.

    Its presets become inactive, so their prebuilds are deleted. Each gets a successor with the same settings, which
    serves the claims from then on. It begins empty; or, with `staged_at`, it is filled as a candidate from that instant
    on (R17).
    """

    at: datetime = attrs.field(converter=to_utc, validator=NOW)
    template_id: str = attrs.field(default="", validator=TEXT)
    staged_at: datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(NOW))

    def __attrs_post_init__(self) -> None:
        if self.staged_at is not None and self.staged_at > self.at:
            allowed = f"at the latest at the promotion, {self.at.isoformat()}"
            raise InvalidValueError("Promotion", "staged_at", self.staged_at, allowed)


@attrs.frozen(kw_only=True)
class Invalidation:
    """At this instant, every prebuild of the preset that was created earlier expires (R2)."""

    at: datetime = attrs.field(converter=to_utc, validator=NOW)
    preset_id: str = attrs.field(validator=ID)


@attrs.frozen(kw_only=True)
class Scenario:
    """What a simulation assumes. `fleet` is one preset, several, or a whole `GlobalSnapshot`.

    Each build draws its own duration from `lead_time`. It fails with the probability `failure_rate`, never ends with
    the probability `hang_rate`, and ends with a prebuild that never becomes ready with the probability
    `never_ready_rate`; together these are 1 at most. A deadline of the preset ends the last two (R14). The loop decides
    at the start and every `interval` after it. Without an interval it decides at once: at every claim, at the end of
    every build, and at each `next_change_at` of a plan. It decides with `policy`.

    With `starts_full`, every pool begins with as many ready prebuilds as it wants at that instant, and the rows of the
    snapshot are ignored. Without it, the pool begins with those rows: ready prebuilds, a build under way for each
    prebuild that is starting or not ready yet, the failures behind backoffs, and hard limits. These are never lifted.
    """

    fleet: GlobalSnapshot = attrs.field(converter=_to_fleet, validator=instance_of(GlobalSnapshot))
    lead_time: LeadTime | LeadTimes = attrs.field(converter=_to_lead_times, validator=_LEAD_TIME)
    """A `timedelta`, a lead time, or a mapping from the id of every preset to one of these."""
    failure_rate: float = attrs.field(default=0.0, validator=_SHARE)
    hang_rate: float = attrs.field(default=0.0, validator=_SHARE)
    never_ready_rate: float = attrs.field(default=0.0, validator=_SHARE)
    interval: timedelta | None = attrs.field(default=None, validator=optional(_INTERVAL))
    on_miss: OnMiss = attrs.field(default=OnMiss.COLD_START, converter=to_on_miss, validator=instance_of(OnMiss))
    promotions: tuple[Promotion, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Promotion))
    invalidations: tuple[Invalidation, ...] = attrs.field(
        default=(), converter=to_tuple, validator=tuple_of(Invalidation)
    )
    policy: Policy = attrs.field(factory=Policy, validator=instance_of(Policy))
    starts_full: bool = attrs.field(default=True, validator=FLAG)

    def __attrs_post_init__(self) -> None:
        problem = next(self._find_problems(), None)
        if problem:
            raise InvalidValueError("Scenario", *problem)

    def _find_problems(self) -> Iterator[tuple[str, object, str]]:
        ids = [preset.id for preset in self.fleet.presets]
        yield from self._find_fleet_problems(ids)
        yield from self._find_event_problems(ids)
        most = max(1 - self.failure_rate - self.hang_rate, 0)
        if self.never_ready_rate > most + _ROUNDING or self.failure_rate + self.hang_rate > 1 + _ROUNDING:
            allowed = "a share that makes at most 1 together with `failure_rate` and `hang_rate`"
            yield "never_ready_rate", self.never_ready_rate, allowed

    def _find_fleet_problems(self, ids: list[str]) -> Iterator[tuple[str, object, str]]:
        if not ids:
            yield "fleet", self.fleet, "a preset, or several, or a snapshot with at least one"
        for preset in self.fleet.presets:
            most = max([preset.desired_instances, *(schedule.instances for schedule in preset.schedules)])
            most = preset.autoscale.max_instances if preset.autoscale else most
            if most > _MOST_INSTANCES:
                place = f"fleet.for_preset({show(preset.id)})"
                yield place, most, f"at most {_MOST_INSTANCES:,} prebuilds, as each is simulated"
        if type(self.lead_time) is tuple and sorted(name for name, _ in self.lead_time) != sorted(ids):
            yield (
                "lead_time",
                dict(self.lead_time),
                f"a lead time for each of the presets {show(ids)}, and for no other",
            )

    def _find_event_problems(self, ids: list[str]) -> Iterator[tuple[str, object, str]]:
        templates = {preset.template_version.template.id for preset in self.fleet.presets}
        for index, promotion in enumerate(self.promotions):
            if promotion.template_id not in templates:
                yield f"promotions[{index}]", promotion, f"of a template of the fleet: one of {show(sorted(templates))}"
        yield from self._find_overlapping_stages()
        for index, invalidation in enumerate(self.invalidations):
            if invalidation.preset_id not in ids:
                yield f"invalidations[{index}]", invalidation, f"of a preset of the fleet: one of {show(ids)}"

    def _find_overlapping_stages(self) -> Iterator[tuple[str, object, str]]:
        for template_id in sorted({promotion.template_id for promotion in self.promotions}):
            own = list_promotions(self.promotions, template_id)
            for earlier, later in pairwise(own):
                if later.staged_at is not None and later.staged_at < earlier.at:
                    allowed = f"staged from {earlier.at.isoformat()} on, as a template has one candidate at a time"
                    yield "promotions", later, allowed

    @property
    def has_mishaps(self) -> bool:
        """Whether anything can go wrong with a build."""
        return self.mishap_rates != MishapRates()

    @property
    def mishap_rates(self) -> MishapRates:
        """The share of builds for each mishap."""
        return MishapRates(fails=self.failure_rate, hangs=self.hang_rate, never_ready=self.never_ready_rate)

    def find_lead_time(self, preset_id: str) -> LeadTime:
        """The lead time of a preset's builds."""
        return dict(self.lead_time)[preset_id] if isinstance(self.lead_time, tuple) else self.lead_time


def list_promotions(promotions: Iterable[Promotion], template_id: str) -> Sequence[Promotion]:
    """The promotions of a template, in the order in which they happen."""
    return sorted((one for one in promotions if one.template_id == template_id), key=lambda one: one.at)


def edit_snapshot(snapshot: GlobalSnapshot, edit: SnapshotEdit) -> GlobalSnapshot:
    """The snapshot after an edit, such as `{"web": {"desired_instances": 5}}` or a function of the snapshot.

    Raises `UnknownPresetError` for a preset that the snapshot does not have, and `InvalidValueError` for a field or a
    value that is not allowed.
    """
    if not isinstance(edit, Mapping):
        return _require_snapshot(edit(snapshot))
    ids = {preset.id for preset in snapshot.presets}
    for preset_id in edit:
        if preset_id not in ids:
            raise UnknownPresetError(preset_id)
    presets = (_edit_preset(preset, edit.get(preset.id, {})) for preset in snapshot.presets)
    return attrs.evolve(snapshot, presets=presets)


def _require_snapshot(value: object) -> GlobalSnapshot:
    if not isinstance(value, GlobalSnapshot):
        raise InvalidValueError("edit_snapshot", "edit", value, "a function that gives a GlobalSnapshot")
    return value


def _edit_preset(preset: Preset, changes: Mapping[str, Any]) -> Preset:
    fields = [field.name for field in attrs.fields(Preset) if field.init]
    for name in changes:
        if name not in fields:
            raise InvalidValueError("edit_snapshot", f"edit[{preset.id!r}]", name, f"a field of a preset: {fields}")
    return attrs.evolve(preset, **changes)
