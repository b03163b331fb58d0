"""Edges: the instants at which a schedule opens and closes in a time zone (R12).

- Wall clocks jump. Time is always calculated from instants, never by adding to a wall clock.
- A lead is elapsed time: a schedule that opens an hour early does so an hour early on the day of a jump too.
- The cost grows slowly with the days until an edge: dates on which nothing can change are skipped.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone, tzinfo

from prebuilds.decision.fields import LAST_NOW
from prebuilds.decision.schedules.openings import Opening

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_CYCLE = timedelta(days=146_097)  # 400 years, after which the calendar repeats itself
_MOST_JOINED = 1_500  # dates whose stretches a lead joins, before the search ends


def get_horizon(now: datetime) -> datetime:
    """The last instant at which an edge is looked for: nothing that repeats itself comes later for the first time."""
    return add(now, _CYCLE)


def add(instant: datetime, duration: timedelta) -> datetime:
    """The sum, or the last instant that a decision can have."""
    return instant + duration if duration <= LAST_NOW - instant else max(instant, LAST_NOW)


def is_open(opening: Opening, zone: tzinfo, now: datetime, local: datetime) -> bool:
    """Whether the schedule is open at this instant, its lead included. `local` is the same instant in the zone."""
    if opening.contains(local):
        return True
    return bool(opening.lead) and find_own_edge(opening, zone, now, add(now, opening.lead)) is not None


def find_edge(opening: Opening, zone: tzinfo, now: datetime, until: datetime) -> datetime | None:
    """The first instant after `now`, up to `until`, at which the schedule opens or closes; None if there is none.

    Exact to the second, even where the zone's offset changes. A lead that joins the stretches of 1,500 dates is taken
    to do so for ever. If the schedule's dates end later, a host has to look again at the instant that is given.
    """
    if not opening.lead:
        return find_own_edge(opening, zone, now, until)
    if is_open(opening, zone, now, now.astimezone(zone)):
        return _find_end(opening, zone, now, until)
    begin = find_own_edge(opening, zone, now, add(until, opening.lead))
    return None if begin is None else begin - opening.lead


def _find_end(opening: Opening, zone: tzinfo, now: datetime, until: datetime) -> datetime | None:
    """The first instant at which the window is closed and does not open again within the lead."""
    at = now
    for _ in range(_MOST_JOINED):
        end = find_own_edge(opening, zone, at, until) if opening.contains(at.astimezone(zone)) else at
        if end is None or end > until:
            return None
        end = _join_day(opening, zone, end)
        again = find_own_edge(opening, zone, end, add(end, opening.lead))
        if again is None:
            return end if end <= until else None
        at = again
    return None if opening.days.go_on_from(at.date()) else at


def _join_day(opening: Opening, zone: tzinfo, end: datetime) -> datetime:
    """The end of the last stretch of the date that the lead joins to the one which ends at `end`.

    On the date of a jump, where the gaps have another length than on the clock, `end` itself.
    """
    offset, last = measure_stretch(zone, end)
    local = end + offset
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    joined = midnight - offset + timedelta(minutes=opening.find_joined_end(60 * local.hour + local.minute))
    return joined if end < joined <= last and opening.has_date(local.date()) else end


def find_own_edge(opening: Opening, zone: tzinfo, now: datetime, until: datetime) -> datetime | None:
    """As `find_edge`, but without the lead."""
    is_open_now = opening.contains(now.astimezone(zone))
    if not opening.can_change(is_open=is_open_now):
        return None
    begin = now
    while begin <= until:
        offset, end = measure_stretch(zone, begin)
        edge = _find_turn(opening, begin + offset, end + offset, is_open=is_open_now)
        if edge is not None:
            return edge - offset if edge - offset <= until else None
        begin = _pass_over(opening, zone, end, until, is_open=is_open_now)
    return None


def _find_turn(opening: Opening, local: datetime, local_end: datetime, *, is_open: bool) -> datetime | None:
    """The first time in this part of a date at which the window is not as it was: its begin, or a full minute."""
    if not opening.has_date(local.date()):
        return local if is_open else None
    is_open_first, minute = opening.window.find_turn(60 * local.hour + local.minute)
    if is_open_first is not is_open:
        return local
    turn = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(minutes=minute)
    return turn if turn < local_end else None


def _pass_over(opening: Opening, zone: tzinfo, begin: datetime, until: datetime, *, is_open: bool) -> datetime:
    """`begin`, or a later instant until which the window stays as it is.

    No clock was ever set back or forward by more than a day. So the date before `begin` may come again, and the day
    before a date always starts before that date does.
    """
    first, last = begin.astimezone(zone).date() - _DAY, min(until.date(), date.max - 2 * _DAY) + 2 * _DAY
    other = opening.find_other_date(first, last, is_open=is_open)
    if other - first <= 2 * _DAY:
        return begin
    return datetime.combine(other - _DAY, time.min, tzinfo=zone).astimezone(timezone.utc)


def measure_stretch(zone: tzinfo, begin: datetime) -> tuple[timedelta, datetime]:
    """The offset at an instant, and how long it lasts: until the next local midnight at most."""
    offset = begin.astimezone(zone).utcoffset() or timedelta()
    midnight = (begin + offset).replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
    end = midnight - offset
    if end.astimezone(zone).utcoffset() != offset:
        end = _find_offset_change(zone, begin.replace(microsecond=0), end)
    return offset, end


def _find_offset_change(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """The first whole second with the offset of `after`."""
    new_offset = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == new_offset:
            after = middle
        else:
            before = middle
    return after
