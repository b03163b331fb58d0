"""Timetables: the schedules of a preset as windows in a time zone, and what is wrong with them if they are none.

- A set of schedules is usable as a whole or not at all (R3): a zone that exists, expressions that parse, no overlap.
- A timetable is a pure function of schedules and zone, so it is made once and cached.
- Wall clocks jump. Every question about time is asked of an instant, never of a wall clock that is counted on.
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
    """One thing wrong with a preset's schedules; `schedules` are the positions of those it concerns, () the zone."""

    schedules: tuple[int, ...]
    message: str

    def __str__(self) -> str:
        place = " and ".join(f"schedules[{index}]" for index in self.schedules) or "timezone"
        return f"{place}: {self.message}"


@attrs.frozen(kw_only=True)
class Opening:
    """A window, its place among the preset's schedules, and how many instances it asks for."""

    window: Window
    index: int
    instances: int


@attrs.frozen(kw_only=True, eq=False)
class Timetable:
    """Windows that never overlap, in one time zone."""

    openings: tuple[Opening, ...]
    zone: tzinfo

    def get_opening(self, now: datetime) -> Opening | None:
        """What is open at this instant."""
        return self._get_opening_at(now.astimezone(self.zone))

    def find_next_edge(self, now: datetime) -> datetime | None:
        """The first instant after `now` at which something else is open than at `now`, or nothing; None if none comes.

        Exact to the second, changes of the zone's offset included. Its cost grows with the days until then, and little:
        dates on which nothing can change are passed over.
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
        """Whether nothing but this opening, or nothing at all if None, is open on this date, at whatever hour."""
        if current is None:
            return not any(opening.window.has_date(day) for opening in self.openings)
        return len(current.window.hours) == 24 and current.window.has_date(day)

    def _find_edge_between(self, local: datetime, local_end: datetime, current: Opening | None) -> datetime | None:
        """The first full hour of a part of one date at which something else is open, or its begin if that is so."""
        if self._lasts(current, local):
            return None
        while local < local_end:
            if self._get_opening_at(local) is not current:
                return local
            local = local.replace(minute=0, second=0, microsecond=0) + _HOUR
        return None

    def _pass_over(self, begin: datetime, current: Opening | None) -> datetime:
        """`begin`, or a later instant before which `current` lasts.

        No clock was ever put back, or forward, by more than a day: the date before `begin` may come once more, and the
        eve of a date begins before the date does.
        """
        first = begin.astimezone(self.zone).date() - _DAY
        other = self._find_other_date(first, current)
        if other - first <= 2 * _DAY:
            return begin
        return datetime.combine(other - _DAY, time.min, tzinfo=self.zone).astimezone(timezone.utc)

    def _find_other_date(self, day: date, current: Opening | None) -> date:
        """The first date from this one on at which `current` does not last; the last of all dates at the latest."""
        while day < date.max and self._lasts(current, day):
            day += _DAY
        return day

    def _measure_stretch(self, begin: datetime) -> tuple[timedelta, datetime]:
        """The offset at an instant, and until when it holds: the next local midnight at the latest."""
        offset = begin.astimezone(self.zone).utcoffset() or timedelta()
        midnight = (begin + offset).replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        end = midnight - offset
        if end.astimezone(self.zone).utcoffset() != offset:
            end = self._find_offset_change(begin.replace(microsecond=0), end)
        return offset, end

    def _find_offset_change(self, before: datetime, after: datetime) -> datetime:
        """The first whole second from which on the offset is that of `after`."""
        new_offset = after.astimezone(self.zone).utcoffset()
        while after - before > _SECOND:
            middle = before + (after - before) // _SECOND // 2 * _SECOND
            if middle.astimezone(self.zone).utcoffset() == new_offset:
                after = middle
            else:
                before = middle
        return after


def check_schedules(schedules: Sequence[Schedule], timezone: str | None) -> tuple[ScheduleProblem, ...]:
    """Everything that makes these schedules unusable, at once: for people and linters, before a decision falls back.

    Reports a zone that is missing or unknown, each bad field of each expression, and each pair of overlapping windows
    with the first hour that they share. No schedules have no problem.
    """
    result = compile_schedules(tuple(schedules), timezone)
    return result if isinstance(result, tuple) else ()


@lru_cache(maxsize=2**14)
def compile_schedules(schedules: tuple[Schedule, ...], timezone: str | None) -> Timetable | tuple[ScheduleProblem, ...]:
    """The schedules as a timetable, or all that is wrong with them; either is cached."""
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
