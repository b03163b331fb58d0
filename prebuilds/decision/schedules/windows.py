"""Windows: five cron fields read as a stretch of time, not as moments (R4, R5).

- A window knows only the local calendar: the hour, day, month and weekday of a wall clock. It has no time zone.
- Minutes must be `*`: a window opens and closes on the hour.
- Sunday is 0. A number outside its field's range is an error, and so is a range that runs backwards.
- The check for overlaps is exact: it covers every date that a calendar can have.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

import attrs

from prebuilds.errors import InvalidCronError, shorten

_STARS = ("*", "?")
_MOST_DIGITS = 4
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_EVERY_WEEKDAY = frozenset(range(7))
_NO_WEEKDAY: frozenset[int] = frozenset()
# With the leap day: in the calendar's cycle of 400 years, each of these dates falls on every weekday.
_DAYS_IN_MONTH = dict(enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1))


class _Field(NamedTuple):
    """One of the fields: its name, its range, and the names of its values, if they have names."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def read(self, text: str) -> tuple[frozenset[int], bool]:
        """The values that comma-separated terms allow, and whether any term is a star. Raises `ValueError`."""
        terms = [self._read_term(term) for term in text.split(",")]
        return frozenset().union(*(values for values, _ in terms)), any(is_star for _, is_star in terms)

    def _read_term(self, term: str) -> tuple[range, bool]:
        body, has_step, step_text = term.partition("/")
        low, high = self._read_bounds(body, is_open=bool(has_step))
        step = _read_number(step_text) if has_step else 1
        if step == 0:
            raise ValueError(f"`{shorten(term)}` has the step 0; it must be 1 or more")
        if low > high:
            raise ValueError(f"`{shorten(term)}` runs backwards: write `{self._turn(body, low, high, step)}`")
        # As in robfig/cron, `*/2` is not a star: it restricts its field.
        return range(low, high + 1, step), body in _STARS and step == 1

    def _read_bounds(self, body: str, *, is_open: bool) -> tuple[int, int]:
        if body in _STARS:
            return self.low, self.high
        first, is_range, last = body.partition("-")
        low = self._read_value(first)
        if is_range:
            return low, self._read_value(last)
        # `9/2` is every second value from 9 to the end of the range.
        return low, self.high if is_open else low

    def _read_value(self, text: str) -> int:
        if text.lower() in self.names:
            return self.low + self.names.index(text.lower())
        value = _read_number(text, *self.names)
        if not self.low <= value <= self.high:
            hint = _HINTS.get((self.name, value), "")
            raise ValueError(f"`{shorten(text)}` is not from {self.low} to {self.high}{hint}")
        return value

    def _turn(self, body: str, low: int, high: int, step: int) -> str:
        """A range that runs past the end of the field, as terms that do not; names are kept."""
        size = self.high - self.low + 1
        values = [self.low + (value - self.low) % size for value in range(low, high + size + 1, step)]
        texts = [str(value) if body[0].isdigit() else self.names[value - self.low] for value in values]
        if step > 1:
            return ",".join(texts)
        cut = self.high - low + 1
        return ",".join("-".join(dict.fromkeys((part[0], part[-1]))) for part in (texts[:cut], texts[cut:]))


def _read_number(text: str, *names: str) -> int:
    if not text:
        raise ValueError("a value is missing")
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        named = f", nor one of {', '.join(names)}" if names else ""
        raise ValueError(f"`{shorten(text)}` is not a number of at most {_MOST_DIGITS} digits{named}")
    return int(text)


_HOUR = _Field("hour", 0, 23)
_DAY = _Field("day-of-month", 1, 31)
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("day-of-week", 0, 6, _WEEKDAYS)
# What to write instead of what other cron dialects allow: for a number in a field, and for a number of fields.
_HINTS = {("hour", 24): ": midnight is 0", ("day-of-week", 7): ": Sunday is 0 in this dialect"}
_COUNT_HINTS = {6: ": leave out the seconds", 7: ": leave out the seconds and the year"}


@attrs.frozen(kw_only=True)
class Window:
    """A parsed expression: the hours, months and days on which it is open. Made by `parse_window`."""

    expression: str
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    needs_both_days: bool
    """Whether day-of-month and day-of-week must both match: true if either is a star. Otherwise one is enough."""

    def contains(self, local: datetime) -> bool:
        """Whether the window is open at this wall-clock time."""
        return local.hour in self.hours and self.has_date(local)

    def has_date(self, local: date) -> bool:
        """Whether the window is open on this date, or on the date of this wall-clock time."""
        return local.month in self.months and local.isoweekday() % 7 in self.weekdays_on(local.day)

    def weekdays_on(self, day: int) -> frozenset[int]:
        """The weekdays on which the window is open when the date has this day of the month."""
        if day in self.days:
            return self.weekdays if self.needs_both_days else _EVERY_WEEKDAY
        return _NO_WEEKDAY if self.needs_both_days else self.weekdays

    @property
    def is_always_open(self) -> bool:
        return (
            len(self.hours) == 24
            and len(self.months) == 12
            and all(self.weekdays_on(day) == _EVERY_WEEKDAY for day in range(1, 32))
        )

    @property
    def is_ever_open(self) -> bool:
        """False for a window such as `* * 30 feb *`, whose dates do not exist."""
        return find_shared_hour(self, self) is not None


@attrs.frozen(kw_only=True)
class SharedHour:
    """An hour of the calendar: month 1 to 12, day of the month, weekday with Sunday as 0, hour 0 to 23."""

    month: int
    day: int
    weekday: int
    hour: int

    def __str__(self) -> str:
        weekday, month = _WEEKDAYS[self.weekday].title(), _MONTHS[self.month - 1].title()
        return f"{weekday} {self.day} {month}, {self.hour:02}:00-{self.hour:02}:59"


@lru_cache(maxsize=2**14)
def parse_window(expression: str) -> Window:
    """Read five cron fields as a window; parsed expressions are cached.

    Fields are minute (only `*`), hour, day-of-month, month and day-of-week. Each is a list of values, ranges and steps;
    months and weekdays also have English three-letter names. Raises `InvalidCronError` with all bad fields at once.
    """
    fields = expression.split()
    if len(fields) != 5:
        hint = _COUNT_HINTS.get(len(fields), "")
        raise InvalidCronError(expression, (f"needs 5 fields, has {len(fields)}{hint}",))
    problems = [] if fields[0] == "*" else [f"minute field: `{shorten(fields[0])}` is not `*`"]
    values: list[frozenset[int]] = []
    stars: list[bool] = []
    for field, text in zip((_HOUR, _DAY, _MONTH, _WEEKDAY), fields[1:], strict=True):
        try:
            allowed, is_star = field.read(text)
        except ValueError as error:
            problems.append(f"{field.name} field: {error}")
        else:
            values.append(allowed)
            stars.append(is_star)
    if problems:
        raise InvalidCronError(expression, tuple(problems))
    hours, days, months, weekdays = values
    return Window(
        expression=" ".join(fields),
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        needs_both_days=stars[1] or stars[3],
    )


def find_shared_hour(a: Window, b: Window) -> SharedHour | None:
    """The first hour of the calendar, by month and day, in which both windows are open; None if there is none (R5).

    Exact: it considers every date of the calendar on every weekday. It knows no time zone, so an hour that daylight
    saving skips in one zone counts as an hour here.
    """
    hours = a.hours & b.hours
    checked = 0
    for month in sorted(a.months & b.months) if hours else ():
        for day in range(checked + 1, _DAYS_IN_MONTH[month] + 1):
            weekdays = a.weekdays_on(day) & b.weekdays_on(day)
            if weekdays:
                return SharedHour(month=month, day=day, weekday=min(weekdays), hour=min(hours))
        # A day allows the same weekdays in every month: only days that no earlier month had are new.
        checked = max(checked, _DAYS_IN_MONTH[month])
    return None


def is_overlapping(a: Window, b: Window) -> bool:
    """Whether both windows are open in any hour of any calendar year (R5)."""
    return find_shared_hour(a, b) is not None
