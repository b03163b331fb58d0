"""Targets that never shrink, or that rise from 0 with nothing ready, as they do every ordinary week (R3, R20)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import timedelta

from prebuilds.decision.judging.findings import Finding, FindingKind, find_in
from prebuilds.decision.judging.weeks import (
    ALL_MINUTES,
    MINUTE,
    WEEK,
    find_minutes,
    find_own_minutes,
    list_minutes,
    list_weekly,
    measure_longest,
    name_minute,
    turn_back,
)
from prebuilds.decision.models import Preset
from prebuilds.decision.schedules.openings import Opening
from prebuilds.decision.schedules.timetables import Timetable
from prebuilds.decision.targets import compile_timetable
from prebuilds.decision.wording import describe_duration

_CLOCK_CHANGE = timedelta(hours=1)


def find_timetable(preset: Preset) -> Timetable | None:
    """The timetable of a preset; None if it has no schedules or they cannot be used."""
    timetable = compile_timetable(preset)
    return timetable if preset.schedules and isinstance(timetable, Timetable) else None


def list_counts(preset: Preset) -> Sequence[int]:
    """The counts between which the target always is. A preset that is inactive wants nothing."""
    if not preset.is_wanted:
        return (0,)
    timetable, scale = find_timetable(preset), preset.autoscale
    counts = (preset.desired_instances, *(opening.instances for opening in (timetable.openings if timetable else ())))
    if not follows_demand(preset) or scale is None:
        return counts
    return (*(max(count, scale.min_instances) for count in counts), scale.max_instances)


def wants_prebuilds(preset: Preset) -> bool:
    """Whether the preset ever wants a prebuild. A window that others always hide does not count."""
    timetable = find_timetable(preset)
    weekly = list_weekly(timetable) if timetable else None
    if timetable is None or weekly is None or follows_demand(preset):
        return any(list_counts(preset))
    special = any(opening.instances for opening in timetable.openings if opening.is_for_dates)
    ordinary = any(minutes and _get_count(preset, opening) for opening, minutes in _share_week(weekly))
    return preset.is_active and (special or ordinary)


def find_longest_stretch(preset: Preset) -> timedelta:
    """For how long the target of an ordinary week stays the same and above 0, at the longest; 0 if that is not known.

    A prebuild that expires by its ttl has lived so long: where the target falls earlier, it may go before.
    """
    timetable = find_timetable(preset)
    weekly = list_weekly(timetable) if timetable else ()
    if weekly is None or follows_demand(preset):
        return timedelta()
    by_count: dict[int, int] = {}
    for opening, minutes in _share_week(weekly):
        count = _get_count(preset, opening)
        by_count[count] = by_count.get(count, 0) | minutes
    return max((measure_longest(minutes) for count, minutes in by_count.items() if count), default=timedelta())


def follows_demand(preset: Preset) -> bool:
    """Whether claims may raise the target. With schedules that cannot be used they never do."""
    is_usable = not preset.schedules or find_timetable(preset) is not None
    return preset.autoscale is not None and preset.autoscale.acts and is_usable


def check_targets(preset: Preset, lead_time: timedelta) -> Iterator[Finding]:
    """What is wrong with the counts of an active preset and its windows, if they alone make the target."""
    timetable = find_timetable(preset) if preset.is_wanted and not follows_demand(preset) else None
    weekly = list_weekly(timetable) if timetable else None
    if timetable and weekly:
        yield from _check_shrinking(preset, timetable, weekly)
        yield from _check_openings(preset, weekly, lead_time)


def _check_shrinking(preset: Preset, timetable: Timetable, weekly: Sequence[Opening]) -> Iterator[Finding]:
    counts = {opening.instances for opening in timetable.openings}
    if len(counts) > 1 or preset.desired_instances >= min(counts):
        return
    covered = 0
    for opening in weekly:
        if opening.days.are_all:
            # When the clocks change, a lead may begin an hour later by the clock.
            covered |= find_minutes(opening, max(opening.lead - _CLOCK_CHANGE, timedelta()))
    if covered == ALL_MINUTES:
        own, kept = preset.desired_instances, min(counts)
        message = (
            f"{own} never applies, as the windows cover the whole week: the pool keeps {kept} at all times and never "
            f"shrinks; shorten a window, or make it {kept}"
        )
        yield find_in(preset, "desired_instances", FindingKind.NEVER_SHRINKS, (own, kept), message)


def _check_openings(preset: Preset, weekly: Sequence[Opening], lead_time: timedelta) -> Iterator[Finding]:
    """At most one finding for each opening, and for the preset's own count: where it is empty first."""
    if not lead_time or 0 not in list_counts(preset):
        return
    found: set[Opening | None] = set()
    for minute, opening in _list_risings(preset, weekly, lead_time):
        lead = _measure_lead(minute, opening)
        if opening not in found and lead < lead_time:
            found.add(opening)
            yield _describe_opening(preset, opening, minute + lead // MINUTE, lead, lead_time)


def _list_risings(
    preset: Preset, weekly: Sequence[Opening], lead_time: timedelta
) -> Iterator[tuple[int, Opening | None]]:
    """The minutes at which the target rises from 0, with the opening that counts from then on.

    Only those before which it was 0 for so long that no build of the time before is left.
    """
    owners = _share_week(weekly)
    zero = sum(minutes for opening, minutes in owners if _get_count(preset, opening) == 0)
    falls = list_minutes(zero & ~turn_back(zero, WEEK - 1))
    for opening, minutes in owners:
        for minute in list_minutes(minutes & ~zero & turn_back(zero, WEEK - 1)):
            last_fall = falls[bisect_right(falls, minute) - 1]  # the last of the week if none comes before
            if (minute - last_fall) % WEEK * MINUTE >= lead_time:
                yield minute, opening


def _share_week(weekly: Sequence[Opening]) -> list[tuple[Opening | None, int]]:
    """The minutes in which each opening counts, and last, as None, those in which none is open."""
    left, owners = ALL_MINUTES, list[tuple[Opening | None, int]]()
    for opening in weekly:
        minutes = find_minutes(opening, opening.lead)
        owners.append((opening, minutes & left))
        left &= ~minutes
    return [*owners, (None, left)]


def _get_count(preset: Preset, opening: Opening | None) -> int:
    return preset.desired_instances if opening is None else opening.instances


def _measure_lead(minute: int, opening: Opening | None) -> timedelta:
    """How long after this minute of its time the window itself begins."""
    if opening is None:
        return timedelta()
    ahead = turn_back(find_own_minutes(opening), minute)
    return ((ahead & -ahead).bit_length() - 1) * MINUTE


def _describe_opening(
    preset: Preset, opening: Opening | None, minute: int, lead: timedelta, lead_time: timedelta
) -> Finding:
    when, gap, long = name_minute(minute), describe_duration(lead_time - lead), describe_duration(lead_time)
    empty = f"nothing is ready for {gap} from {when} on, as the target was 0 before and a build takes {long}"
    if opening is None:
        setting, remedy = "desired_instances", "end the window before it earlier by that time"
    else:
        setting, remedy = f"schedules[{opening.index}].lead", f"make it {long} or longer"
    return find_in(preset, setting, FindingKind.OPENS_EMPTY, (lead, lead_time), f"{empty}; {remedy}")
