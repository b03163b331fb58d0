"""The ordinary week of a preset: what its windows make of each minute of it, without special dates.

- Minutes are those of the local week, from 0 on Sunday at 00:00. A set of them is an integer with a bit for each.
- The week goes round: after its last minute comes its first.
- There is no such week if a window depends on the month, on the day of the month, or on when the schedule starts or
  ends.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, timedelta

from prebuilds.decision.schedules.cron_fields import WEEKDAYS
from prebuilds.decision.schedules.openings import Opening
from prebuilds.decision.schedules.timetables import Timetable
from prebuilds.decision.schedules.windows import MINUTES_IN_DAY

MINUTE = timedelta(minutes=1)
WEEK = 7 * MINUTES_IN_DAY
ALL_MINUTES = (1 << WEEK) - 1
_DAYS = range(1, 32)


def list_weekly(timetable: Timetable) -> tuple[Opening, ...] | None:
    """The openings that an ordinary week has, in the order in which they take precedence; None if no week is ordinary.

    A schedule for dates is left out: it makes a week a special one.
    """
    openings = tuple(opening for opening in timetable.openings if not opening.is_for_dates)
    return openings if all(map(_is_weekly, openings)) else None


def _is_weekly(opening: Opening) -> bool:
    window, days = opening.window, opening.days
    is_same_all_year = len(window.months) == 12 and len({window.weekdays_on(day) for day in _DAYS}) == 1
    return is_same_all_year and days.first == date.min and days.last == date.max


def find_own_minutes(opening: Opening) -> int:
    """The minutes in which the window of a weekly opening is open, without its lead."""
    return sum(
        (1 << end) - (1 << begin)
        for weekday in opening.window.weekdays_on(1)
        for begin, end in _list_stretches(opening, weekday * MINUTES_IN_DAY)
    )


def _list_stretches(opening: Opening, midnight: int) -> Iterator[tuple[int, int]]:
    turns = [midnight + turn for turn in opening.window.turns]
    return zip(turns[::2], turns[1::2], strict=True)


def find_minutes(opening: Opening, lead: timedelta) -> int:
    """The minutes in which a weekly opening is open if it opens earlier by this lead, which is rounded up."""
    minutes, reach, most = find_own_minutes(opening), 0, min(-(-lead // MINUTE), WEEK)
    while reach < most:
        step = min(reach + 1, most - reach)
        minutes |= turn_back(minutes, step)
        reach += step
    return minutes


def turn_back(minutes: int, count: int) -> int:
    """The minutes that come so many before these."""
    return minutes >> count | (minutes << WEEK - count) & ALL_MINUTES


def list_minutes(minutes: int) -> list[int]:
    """The minutes of a set, in order."""
    return [minute for minute, bit in enumerate(reversed(f"{minutes:b}")) if bit == "1"]


def measure_longest(minutes: int) -> timedelta:
    """The longest stretch of a set; without end if it has every minute."""
    if minutes == ALL_MINUTES:
        return timedelta.max
    before = turn_back(minutes, WEEK - 1)
    begins, ends = list_minutes(minutes & ~before), list_minutes(before & ~minutes)
    lengths = [(ends[bisect_left(ends, begin) % len(ends)] - begin) % WEEK for begin in begins]
    return max(lengths, default=0) * MINUTE


def name_minute(minute: int) -> str:
    """Mon 08:00."""
    day, rest = divmod(minute % WEEK, MINUTES_IN_DAY)
    return f"{WEEKDAYS[day].title()} {rest // 60:02}:{rest % 60:02}"
