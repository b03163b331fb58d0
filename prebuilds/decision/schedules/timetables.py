"""Timetables: the schedules of a preset as windows in a time zone, or the problems that prevent it.

- A set of schedules is usable as a whole or not at all (R3): the zone exists, expressions parse, no windows overlap.
- A timetable is a pure function of schedules and zone, so it is made once and cached.
- Wall clocks jump. Time is always calculated from instants, never by adding to a wall clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import combinations

import attrs

from prebuilds.decision.fields import LAST_NOW
from prebuilds.decision.models import Schedule
from prebuilds.decision.schedules.windows import Window, find_shared_hour, parse_window
from prebuilds.decision.schedules.zones import load_zone
from prebuilds.errors import InvalidCronError

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)


@attrs.frozen(kw_only=True)
class ScheduleProblem:
    """One problem of a preset's schedules; `schedules` has the positions of the bad ones, () if it is the zone."""

    schedules: tuple[int, ...]
    message: str

    def __str__(self) -> str:
        place = " and ".join(f"schedules[{index}]" for index in self.schedules) or "timezone"
        return f"{place}: {self.message}"


@attrs.frozen(kw_only=True)
class Opening:
    """A window, its position among the preset's schedules, and how many instances it wants."""

    window: Window
    index: int
    instances: int


@attrs.frozen(kw_only=True, eq=False)
class Timetable:
    """Windows that never overlap, in one time zone."""

    openings: tuple[Opening, ...]
    zone: tzinfo

    def get_opening(self, now: datetime) -> Opening | None:
        """The window that is open at this instant, if any."""
        return self._get_opening_at(now.astimezone(self.zone))

    def find_next_edge(self, now: datetime) -> datetime | None:
        """The first instant after `now` at which a window opens or closes; None if that never happens.

        Exact to the second, even where the zone's offset changes. The cost grows slowly with the days until then: dates
        on which nothing can change are skipped.
        """
        current = self.get_opening(now)
        if not self._can_change(current):
            return None
        begin = now
        while begin < LAST_NOW:
            offset, end = self._measure_stretch(begin)
            edge = self._find_edge_between(begin + offset, end + offset, current)
            if edge is not None:
                return edge - offset if edge - offset <= LAST_NOW else None
            begin = self._pass_over(end, current)
        return None

    def _get_opening_at(self, local: datetime) -> Opening | None:
        return next((opening for opening in self.openings if opening.window.contains(local)), None)

    def _can_change(self, current: Opening | None) -> bool:
        if current is None:
            return any(opening.window.is_ever_open for opening in self.openings)
        return not current.window.is_always_open

    def _lasts(self, current: Opening | None, day: date) -> bool:
        """Whether this opening is open for all of this date or, if None, whether nothing is open on it at any hour."""
        if current is None:
            return not any(opening.window.has_date(day) for opening in self.openings)
        return len(current.window.hours) == 24 and current.window.has_date(day)

    def _find_edge_between(self, local: datetime, local_end: datetime, current: Opening | None) -> datetime | None:
        """The first time in this part of a date at which `current` is not what is open: its start or a full hour."""
        if self._lasts(current, local):
            return None
        while local < local_end:
            if self._get_opening_at(local) is not current:
                return local
            local = local.replace(minute=0, second=0, microsecond=0) + _HOUR
        return None

    def _pass_over(self, begin: datetime, current: Opening | None) -> datetime:
        """`begin`, or a later instant until which `current` lasts.

        No clock was ever set back or forward by more than a day. So the date before `begin` may come again, and the day
        before a date always starts before that date does.
        """
        first = begin.astimezone(self.zone).date() - _DAY
        other = self._find_other_date(first, current)
        if other - first <= 2 * _DAY:
            return begin
        return datetime.combine(other - _DAY, time.min, tzinfo=self.zone).astimezone(timezone.utc)

    def _find_other_date(self, day: date, current: Opening | None) -> date:
        """The first date, from this one on, that `current` does not fill; at the latest, the last possible date."""
        while day < date.max and self._lasts(current, day):
            day += _DAY
        return day

    def _measure_stretch(self, begin: datetime) -> tuple[timedelta, datetime]:
        """The offset at an instant, and how long it lasts: until the next local midnight at most."""
        offset = begin.astimezone(self.zone).utcoffset() or timedelta()
        midnight = (begin + offset).replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        end = midnight - offset
        if end.astimezone(self.zone).utcoffset() != offset:
            end = self._find_offset_change(begin.replace(microsecond=0), end)
        return offset, end

    def _find_offset_change(self, before: datetime, after: datetime) -> datetime:
        """The first whole second with the offset of `after`."""
        new_offset = after.astimezone(self.zone).utcoffset()
        while after - before > _SECOND:
            middle = before + (after - before) // _SECOND // 2 * _SECOND
            if middle.astimezone(self.zone).utcoffset() == new_offset:
                after = middle
            else:
                before = middle
        return after


def check_schedules(schedules: Sequence[Schedule], timezone: str | None) -> tuple[ScheduleProblem, ...]:
    """Everything that makes these schedules unusable, for forms and linters, before a decision falls back.

    Reports a missing or unknown zone, each bad field of each expression, and each pair of overlapping windows with the
    first hour that they share. An empty set of schedules has no problems.
    """
    result = compile_schedules(tuple(schedules), timezone)
    return result if isinstance(result, tuple) else ()


@lru_cache(maxsize=2**14)
def compile_schedules(schedules: tuple[Schedule, ...], timezone: str | None) -> Timetable | tuple[ScheduleProblem, ...]:
    """The schedules as a timetable, or all their problems; both are cached."""
    zone = _find_zone(timezone)
    problems = [zone] if isinstance(zone, ScheduleProblem) and schedules else []
    openings: list[Opening] = []
    for index, schedule in enumerate(schedules):
        try:
            window = parse_window(schedule.cron)
        except InvalidCronError as error:
            problems += [ScheduleProblem(schedules=(index,), message=f"{text}") for text in error.problems]
        else:
            openings.append(Opening(window=window, index=index, instances=schedule.instances))
    problems += _find_overlaps(openings)
    if problems or isinstance(zone, ScheduleProblem):
        return tuple(problems)
    return Timetable(openings=tuple(openings), zone=zone)


def _find_zone(name: str | None) -> tzinfo | ScheduleProblem:
    if not name:
        return ScheduleProblem(schedules=(), message="missing; schedules need the name of a time zone")
    try:
        return load_zone(name)
    except ValueError as error:
        return ScheduleProblem(schedules=(), message=str(error))


def _find_overlaps(openings: Sequence[Opening]) -> Iterator[ScheduleProblem]:
    for a, b in combinations(openings, 2):
        shared = find_shared_hour(a.window, b.window)
        if shared is not None:
            message = f"`{a.window.expression}` and `{b.window.expression}` overlap, first on {shared}"
            yield ScheduleProblem(schedules=(a.index, b.index), message=message)
