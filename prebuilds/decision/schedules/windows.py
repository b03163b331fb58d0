"""Windows: five cron fields read as a stretch of time, not as moments (R4, R5).

- A window knows only the local calendar: the minute, hour, day, month and weekday of a wall clock. It has no time zone.
- It is open for the whole of each minute that matches.
- The check for overlaps is exact: it covers every date that a calendar can have.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache

import attrs

from prebuilds.decision.schedules.cron_fields import CRON_FIELDS, MONTHS, WEEKDAYS
from prebuilds.errors import InvalidCronError

MINUTES_IN_DAY = 24 * 60
_EVERY_MINUTE = frozenset(range(60))
_EVERY_WEEKDAY = frozenset(range(7))
_NO_WEEKDAY: frozenset[int] = frozenset()
# With the leap day: in the calendar's cycle of 400 years, each of these dates falls on every weekday.
_DAYS_IN_MONTH = dict(enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1))
# What to leave out of expressions of other cron dialects, by their number of fields.
_COUNT_HINTS = {6: ": leave out the seconds", 7: ": leave out the seconds and the year"}


@attrs.frozen(kw_only=True)
class Window:
    """A parsed expression: the minutes, hours, months and days on which it is open. Made by `parse_window`."""

    expression: str
    minutes: frozenset[int] = _EVERY_MINUTE
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    needs_both_days: bool
    """Whether day-of-month and day-of-week must both match: true if either is a star. Otherwise one is enough."""
    turns: tuple[int, ...] = attrs.field(init=False, eq=False, repr=False)
    """The minutes of a day at which the window opens and closes, in turn; the last may be the end of the day."""
    is_ever_open: bool = attrs.field(init=False, eq=False, repr=False)
    """False for a window such as `* * 30 feb *`, whose dates do not exist."""
    is_always_open: bool = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "turns", tuple(_list_turns(self.hours, self.minutes)))
        object.__setattr__(self, "is_ever_open", find_shared_hour(self, self) is not None)
        object.__setattr__(self, "is_always_open", self.is_open_all_day and self._has_every_date())

    def _has_every_date(self) -> bool:
        return len(self.months) == 12 and all(self.weekdays_on(day) == _EVERY_WEEKDAY for day in range(1, 32))

    def contains(self, local: datetime) -> bool:
        """Whether the window is open at this wall-clock time."""
        return local.hour in self.hours and local.minute in self.minutes and self.has_date(local)

    def has_date(self, local: date) -> bool:
        """Whether the window is open on this date, or on the date of this wall-clock time."""
        return local.month in self.months and local.isoweekday() % 7 in self.weekdays_on(local.day)

    def weekdays_on(self, day: int) -> frozenset[int]:
        """The weekdays on which the window is open when the date has this day of the month."""
        if day in self.days:
            return self.weekdays if self.needs_both_days else _EVERY_WEEKDAY
        return _NO_WEEKDAY if self.needs_both_days else self.weekdays

    def find_turn(self, minute: int) -> tuple[bool, int]:
        """Whether the window is open in this minute of a day that it has, and in which minute that next changes."""
        place = bisect_right(self.turns, minute)
        return place % 2 == 1, self.turns[place] if place < len(self.turns) else MINUTES_IN_DAY

    def list_stretches(self) -> list[tuple[timedelta, timedelta]]:
        """The begin and the end of each stretch in a day that the window has, in order, since midnight."""
        times = [timedelta(minutes=minute) for minute in self.turns]
        return list(zip(times[::2], times[1::2], strict=True))

    @property
    def is_open_all_day(self) -> bool:
        """Whether the window is open in every minute of the days that it has."""
        return self.turns == (0, MINUTES_IN_DAY)


def _list_turns(hours: Iterable[int], minutes: frozenset[int]) -> Iterator[int]:
    """The begin and the end of each stretch in a day, in order; stretches that meet are one."""
    stretches = list(_list_stretches(minutes))
    last = -1
    for begin, end in ((60 * hour + begin, 60 * hour + end) for hour in sorted(hours) for begin, end in stretches):
        if begin != last:
            yield from (last, begin) if last >= 0 else (begin,)
        last = end
    yield from (last,) if last >= 0 else ()


def _list_stretches(minutes: frozenset[int]) -> Iterator[tuple[int, int]]:
    """The stretches of an hour that these minutes make: of each, the first minute and the one after the last."""
    ends = (minute + 1 for minute in sorted(minutes) if minute + 1 not in minutes)
    return zip((minute for minute in sorted(minutes) if minute - 1 not in minutes), ends, strict=True)


@attrs.frozen(kw_only=True)
class SharedHour:
    """An hour of the calendar: month 1 to 12, day of the month, weekday with Sunday as 0, hour 0 to 23.

    `minutes` are the first and the last minute of the first stretch within the hour.
    """

    month: int
    day: int
    weekday: int
    hour: int
    minutes: tuple[int, int] = (0, 59)

    def __str__(self) -> str:
        weekday, month = WEEKDAYS[self.weekday].title(), MONTHS[self.month - 1].title()
        return f"{weekday} {self.day} {month}, {self.describe_time()}"

    def describe_time(self) -> str:
        """The stretch of the hour, such as 08:00-08:59."""
        first, last = self.minutes
        return f"{self.hour:02}:{first:02}-{self.hour:02}:{last:02}"


@lru_cache(maxsize=2**14)
def parse_window(expression: str) -> Window:
    """Read five cron fields as a window; parsed expressions are cached.

    Fields are minute, hour, day-of-month, month and day-of-week. Each is a list of values, ranges and steps; months and
    weekdays also have English three-letter names. A range that runs backwards goes over the end of its field: `22-6`,
    `fri-mon`. Raises `InvalidCronError` with all bad fields at once.
    """
    texts = expression.split()
    if len(texts) != len(CRON_FIELDS):
        hint = _COUNT_HINTS.get(len(texts), "")
        raise InvalidCronError(expression, (f"needs 5 fields, has {len(texts)}{hint}",))
    values, stars = _read_fields(expression, texts)
    minutes, hours, days, months, weekdays = values
    return Window(
        expression=" ".join(texts),
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        needs_both_days=stars[2] or stars[4],
    )


def _read_fields(expression: str, texts: Iterable[str]) -> tuple[list[frozenset[int]], list[bool]]:
    """The values of each field, and whether it is a star."""
    values: list[frozenset[int]] = []
    stars: list[bool] = []
    problems: list[str] = []
    for field, text in zip(CRON_FIELDS, texts, strict=True):
        try:
            allowed, is_star = field.read(text)
        except ValueError as error:
            problems.append(f"{field.name} field: {error}")
        else:
            values.append(allowed)
            stars.append(is_star)
    if problems:
        raise InvalidCronError(expression, tuple(problems))
    return values, stars


def find_shared_hour(a: Window, b: Window) -> SharedHour | None:
    """The first hour of the calendar, by month and day, in which both windows are open at once; None if there is none.

    Exact: it considers every date of the calendar on every weekday. It knows no time zone, so an hour that daylight
    saving skips in one zone counts as an hour here.
    """
    hours = a.hours & b.hours
    stretch = next(_list_stretches(a.minutes & b.minutes), None)
    checked = 0
    for month in sorted(a.months & b.months) if hours and stretch else ():
        for day in range(checked + 1, _DAYS_IN_MONTH[month] + 1):
            weekdays = a.weekdays_on(day) & b.weekdays_on(day)
            if weekdays and stretch:
                minutes = stretch[0], stretch[1] - 1
                return SharedHour(month=month, day=day, weekday=min(weekdays), hour=min(hours), minutes=minutes)
        # A day allows the same weekdays in every month: only days that no earlier month had are new.
        checked = max(checked, _DAYS_IN_MONTH[month])
    return None


def is_overlapping(a: Window, b: Window) -> bool:
    """Whether both windows are open at once in any calendar year (R5)."""
    return find_shared_hour(a, b) is not None
