"""Overlaps: whether two schedules are open at once (R5, R20).

- Exact: every date that both have counts, on every weekday. What repeats itself has no first and no last year.
- Judged on the calendar. An hour that daylight saving skips in one zone is an hour here, so that the answer depends on
  the schedules alone.
- A schedule for dates comes before one for every week, so that these two never overlap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from operator import itemgetter

from prebuilds.decision.schedules.openings import Opening
from prebuilds.decision.schedules.windows import Window, find_shared_hour
from prebuilds.decision.wording import describe_duration

Stretch = tuple[timedelta, timedelta]

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
# All neighbours of dates on all weekdays are in any 28 years in a row that have seven leap days.
_YEARS = [date(2001, 1, 1) + timedelta(days=number) for number in range(28 * 365 + 7)]


def find_overlap(a: Opening, b: Opening) -> str | None:
    """Where the two overlap, in words; None if they do not."""
    if a.is_for_dates is not b.is_for_dates:
        return None
    place = _find_shared_place(a, b)
    if place is not None:
        return f"{a.name} and {b.name} overlap, first on {place}"
    days = (max(a.lead, b.lead) + _MINUTE) // _DAY + 1 if a.lead or b.lead else -1
    if any(_meet_in_a_day(a, b, apart) and _share_dates(a, b, apart) for apart in range(-days, days + 1)):
        leads = (f"{opening.name} opens {describe_duration(opening.lead)} ahead" for opening in (a, b) if opening.lead)
        return f"{a.name} and {b.name} overlap, as {' and '.join(leads)}"
    return None


def _find_shared_place(a: Opening, b: Opening) -> str | None:
    """The first hour that both windows have, without their leads."""
    shared = find_shared_hour(a.window, b.window)
    if shared is None or _repeat_together(a, b):
        return None if shared is None else str(shared)
    day = next(_iterate_shared_dates(a, b, 0), None)
    return None if day is None else f"{day}, {shared.describe_time()}"


def _repeat_together(a: Opening, b: Opening) -> bool:
    """Whether both go on without a common begin or without a common end. No few exceptions can keep them apart."""
    return min(a.days.last, b.days.last) == date.max or max(a.days.first, b.days.first) == date.min


def _meet_in_a_day(a: Opening, b: Opening, apart: int) -> bool:
    """Whether some stretches of both meet, with their leads, if the date of `a` is so many days after that of `b`."""
    shift = apart * _DAY
    mine = [(begin + shift - a.lead, end + shift) for begin, end in a.window.list_stretches()]
    return any(_is_met(mine, begin - b.lead, end) for begin, end in b.window.list_stretches())


def _is_met(stretches: Sequence[Stretch], begin: timedelta, end: timedelta) -> bool:
    """Whether one of the stretches has time in common with this one."""
    # The first stretch that ends later than `begin` is the one that begins first.
    place = bisect_right(stretches, begin, key=itemgetter(1))
    return place < len(stretches) and stretches[place][0] < end


def _share_dates(a: Opening, b: Opening, apart: int) -> bool:
    """Whether `a` has a date that is so many days after a date of `b`."""
    mine, other = _map_years(a.window), _map_years(b.window)
    if not ((mine >> apart) & other if apart > 0 else mine & (other >> -apart)):
        return False
    return _repeat_together(a, b) or next(_iterate_shared_dates(a, b, apart), None) is not None


@lru_cache(maxsize=2**10)
def _map_years(window: Window) -> int:
    """The dates of a window in 28 years: a number with one bit for each day, set if the window has the date."""
    return int("".join("01"[window.has_date(day)] for day in reversed(_YEARS)), 2)


def _iterate_shared_dates(a: Opening, b: Opening, apart: int) -> Iterator[date]:
    """The dates of `a` that are so many days after a date of `b`. Both together have a first and a last date."""
    if b.days.listed and not a.days.listed:
        yield from (day + apart * _DAY for day in _iterate_shared_dates(b, a, -apart))
        return
    first = max(a.days.first.toordinal(), b.days.first.toordinal() + apart)
    last = min(a.days.last.toordinal(), b.days.last.toordinal() + apart)
    if first > last:
        return
    for day in a.days.iterate(date.fromordinal(first), date.fromordinal(last)):
        if a.window.has_date(day) and b.has_date(date.fromordinal(day.toordinal() - apart)):
            yield day
