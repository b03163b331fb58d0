"""The target: how many prebuilds a preset should have at an instant, and where that number comes from (R3).

Unusable schedules are not an error here: the preset's own count is used, and the target says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any

import attrs

from prebuilds.decision.demand.rows import Demand
from prebuilds.decision.fields import COUNT, instance_of, member_of, optional, require_instant
from prebuilds.decision.models import Preset
from prebuilds.decision.schedules.openings import Opening
from prebuilds.decision.schedules.timetables import ScheduleProblem, Timetable, compile_schedules
from prebuilds.decision.unchecked import make_factory
from prebuilds.renames import accept_positional


class TargetSource(Enum):
    """Where a target comes from."""

    INACTIVE = "inactive"
    """The preset is inactive and wants nothing."""
    PRESET = "preset"
    """The preset's `desired_instances`: it has no schedules, or no window is open."""
    SCHEDULE = "schedule"
    """The schedule whose window is open."""
    FALLBACK = "fallback"
    """The preset's `desired_instances`, because its schedules cannot be used."""
    DEMAND = "demand"
    """What is claimed, as the preset has an `autoscale` that acts, and wants or holds more than the rest (R21)."""


def _get_desired(target: Any) -> int:
    desired: int = target.desired
    return desired


@attrs.frozen(kw_only=True)
class Target:
    """How many prebuilds are wanted, why, and which window is open, if any.

    What is above `delete_above` goes. Only demand holds more than is wanted (R21).
    """

    desired: int = attrs.field(validator=COUNT)
    source: TargetSource = attrs.field(validator=member_of(TargetSource))
    error: str | None = attrs.field(default=None, validator=optional(instance_of(str)))
    opening: Opening | None = attrs.field(default=None, validator=optional(instance_of(Opening)))
    delete_above: int = attrs.field(default=attrs.Factory(_get_desired, takes_self=True), validator=COUNT)


_make_target = make_factory(Target, ("desired", "source", "error", "opening", "delete_above"))
_MAX_LISTED = 5  # problems in the text of an error; `check_schedules` returns all
_INACTIVE = Target(desired=0, source=TargetSource.INACTIVE)
_UNMOVED = (TargetSource.INACTIVE, TargetSource.FALLBACK)  # whatever is claimed
_MOST_LOOKS = 15


@lru_cache(maxsize=2**10)
def _make_own_target(desired: int) -> Target:
    return Target(desired=desired, source=TargetSource.PRESET)


@accept_positional("now", place=1)
def calculate_target(preset: Preset, *, now: datetime, demand: Demand | None = None) -> Target:
    """The target of a preset at an instant (R3, R21). An inactive preset's schedules and demand are ignored.

    Raises `InvalidValueError` for a `now` that is naive or out of range.
    """
    return find_target(preset, require_instant("calculate_target", "now", now), demand)


def find_target(preset: Preset, now: datetime, demand: Demand | None = None) -> Target:
    """The target at an instant that is known to be valid."""
    target = _find_given_target(preset, now)
    scale = preset.autoscale
    if scale is None or not scale.acts or target.source in _UNMOVED:
        return target
    known = get_demand(preset, demand)
    low, high = known.find_bounds(now) if known else (scale.min_instances, scale.min_instances)
    if high <= target.desired:
        return target
    return _make_target(max(low, target.desired), TargetSource.DEMAND, None, target.opening, high)


def get_demand(preset: Preset, demand: Demand | None) -> Demand | None:
    """The demand under the preset's own settings; None without an autoscale, or if nothing is known for it."""
    scale = preset.autoscale
    return demand.adopt(scale, preset.desired_instances) if demand and scale else None


def _find_given_target(preset: Preset, now: datetime) -> Target:
    """The target that the preset and its schedules give."""
    if not preset.is_wanted:
        return _INACTIVE
    if not preset.schedules:
        return _make_own_target(preset.desired_instances)
    timetable = compile_timetable(preset)
    if not isinstance(timetable, Timetable):
        error = _describe_problems(timetable)
        return Target(desired=preset.desired_instances, source=TargetSource.FALLBACK, error=error)
    opening = timetable.get_opening(now)
    if opening is None:
        return _make_own_target(preset.desired_instances)
    return _make_target(opening.instances, TargetSource.SCHEDULE, None, opening, opening.instances)


def compile_timetable(preset: Preset) -> Timetable | tuple[ScheduleProblem, ...]:
    """The timetable of a preset, or what is wrong with its schedules."""
    return compile_schedules(preset.schedules, preset.timezone, preset.precedence, preset.desired_instances)


def _describe_problems(problems: Sequence[ScheduleProblem]) -> str:
    more = [f"and {len(problems) - _MAX_LISTED} more problems"] if len(problems) > _MAX_LISTED else []
    return "; ".join([*map(str, problems[:_MAX_LISTED]), *more])


def describe_fallback(preset_id: str, error: str) -> str:
    """A sentence about a preset whose target has this error, without the full stop."""
    return f"{preset_id} keeps its own count, as its schedules cannot be used: {error}"


def find_next_target_change(preset: Preset, now: datetime) -> datetime | None:
    """The first instant after `now` at which a window opens or closes; None if that never happens."""
    if not preset.is_wanted or not preset.schedules:
        return None
    timetable = compile_timetable(preset)
    return _get_edges(timetable).find_next(now) if isinstance(timetable, Timetable) else None


def find_next_demand_change(preset: Preset, demand: Demand | None, now: datetime) -> datetime | None:
    """The next look at which the target differs from now, with no new claim; None if that never happens (R21).

    After 15 looks at which it does not, it is the last of them: a look costs time, and claims come anyway.
    """
    known, target, at = get_demand(preset, demand), find_target(preset, now, demand), now
    if known is None or target.source in _UNMOVED or not known.fit.model.autoscale.acts:
        return None
    for _ in range(_MOST_LOOKS):
        later = known.find_next_look(at)
        if later is None:
            return None
        known, at = known.settle(later), later
        if find_target(preset, at, known) != target:
            break
    return at


class _Edges:
    """The next edge of a timetable, kept until it passes.

    An edge found from one instant is the answer for every instant until that edge. Earlier calls change how long an
    answer takes, never the answer.
    """

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable
        self._known: tuple[datetime, datetime | None] | None = None

    def find_next(self, now: datetime) -> datetime | None:
        known = self._known  # read once and replaced as a whole, as threads share it
        if known is None or not _is_between(now, *known):
            known = self._known = now, self._timetable.find_next_edge(now)
        return known[1]


def _is_between(now: datetime, asked: datetime, edge: datetime | None) -> bool:
    return asked <= now and (edge is None or now < edge)


@lru_cache(maxsize=2**14)  # as large as the cache of timetables
def _get_edges(timetable: Timetable) -> _Edges:
    """Cached: presets with the same timetable share its edges, and plans need them again for their explanations."""
    return _Edges(timetable)
