"""Openings: the window of a schedule on the dates that the schedule has.

- An opening knows only the local calendar, as a window does. Its lead is kept here and applied in `edges`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

import attrs

from prebuilds.decision.schedules.schedule import Schedule
from prebuilds.decision.schedules.windows import Window
from prebuilds.decision.wording import describe_count

_DAY = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Days:
    """The dates of a schedule: those `listed`, or from the `first` to the `last`; without the `excepted` ones."""

    first: date = date.min
    last: date = date.max
    listed: tuple[date, ...] = ()
    excepted: frozenset[date] = frozenset()

    @property
    def is_finite(self) -> bool:
        return self.first > date.min and self.last < date.max

    @property
    def are_all(self) -> bool:
        """Whether every date is among them."""
        return self.first == date.min and self.last == date.max and not self.excepted

    def go_on_from(self, day: date) -> bool:
        """Whether every date from this one on is among them."""
        return self.last == date.max and all(excepted < day for excepted in self.excepted)

    def has(self, day: date) -> bool:
        is_named = day in self.listed if self.listed else self.first <= day <= self.last
        return is_named and day not in self.excepted

    def skip_to(self, day: date) -> date | None:
        """This date or the next one that can be among them; None after the last."""
        if self.listed:
            place = bisect_left(self.listed, day)
            return self.listed[place] if place < len(self.listed) else None
        return max(day, self.first) if day <= self.last else None

    def iterate(self, first: date, last: date) -> Iterator[date]:
        """The dates among them from the first to the last of these two."""
        day = self.skip_to(first)
        while day is not None and day <= last:
            if self.has(day):
                yield day
            day = self.skip_to(day + _DAY) if day < date.max else None


ALL_DAYS = Days()


@attrs.frozen(kw_only=True)
class Opening:
    """A window with its dates and its lead, its position among the preset's schedules, and its count of instances."""

    window: Window
    index: int
    instances: int
    days: Days = ALL_DAYS
    lead: timedelta = timedelta()
    is_for_dates: bool = False
    _joined: tuple[int, ...] = attrs.field(init=False, eq=False, repr=False)
    """The window's turns, without those between stretches that the lead joins within a day."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_joined", tuple(_join_turns(self.window.turns, self.lead)))

    def contains(self, local: datetime) -> bool:
        """Whether the window itself is open at this wall-clock time, without the lead."""
        return self.window.contains(local) and (self.days is ALL_DAYS or self.days.has(local.date()))

    def is_ahead(self, local: datetime) -> bool:
        """For an open schedule for dates: whether only its lead has begun."""
        return self.is_for_dates and not self.contains(local)

    def find_joined_end(self, minute: int) -> int:
        """The minute of a day at which those stretches end that the lead joins to the one which ends at `minute`."""
        place = bisect_left(self._joined, minute)
        return self._joined[place] if place % 2 else minute

    def has_date(self, day: date) -> bool:
        """Whether the window is open on this date."""
        return self.window.has_date(day) and (self.days is ALL_DAYS or self.days.has(day))

    def can_change(self, *, is_open: bool) -> bool:
        """False if it is always, or never, as it is."""
        return not (self.window.is_always_open and self.days.are_all) if is_open else self.window.is_ever_open

    def find_other_date(self, day: date, last: date, *, is_open: bool) -> date:
        """The first date, from this one on, that it does not spend in this state from begin to end; at most `last`."""
        if is_open and not self.window.is_open_all_day:
            return day
        while day < last and self.has_date(day) is is_open:
            following = day + _DAY if is_open else self.days.skip_to(day + _DAY)
            day = last if following is None else following
        return min(day, last)

    @property
    def is_ever_open(self) -> bool:
        """False for a window whose dates do not exist, or are none of the schedule's."""
        if not self.window.is_ever_open or not self.days.is_finite:
            return self.window.is_ever_open
        return any(map(self.window.has_date, self.days.iterate(self.days.first, self.days.last)))

    @property
    def name(self) -> str:
        """The expression and the dates, in words."""
        return f"`{self.window.expression}`{_describe_days(self.days)}"


def _join_turns(turns: Sequence[int], lead: timedelta) -> Iterator[int]:
    gaps = zip(turns[1:-1:2], turns[2::2], strict=True)
    inner = [turn for end, begin in gaps if timedelta(minutes=begin - end) > lead for turn in (end, begin)]
    yield from (*turns[:1], *inner, *turns[-1:])


def _describe_days(days: Days) -> str:
    if days.listed:
        return f" on {days.first}" if len(days.listed) == 1 else f" on {describe_count(len(days.listed), 'date')}"
    since = f" from {days.first}" if days.first > date.min else ""
    until = f" to {days.last}" if days.last < date.max else ""
    return f" on {days.first}" if days.first == days.last else since + until


def make_opening(schedule: Schedule, window: Window, index: int) -> Opening:
    """The opening of a schedule whose expression is this window."""
    return Opening(
        window=window,
        index=index,
        instances=schedule.instances,
        days=_make_days(schedule),
        lead=schedule.lead,
        is_for_dates=schedule.is_for_dates,
    )


def _make_days(schedule: Schedule) -> Days:
    starts_on, ends_on, listed = schedule.starts_on, schedule.ends_on, schedule.dates
    if not (listed or starts_on or ends_on or schedule.except_on):
        return ALL_DAYS
    return Days(
        first=listed[0] if listed else starts_on or date.min,
        last=listed[-1] if listed else ends_on or date.max,
        listed=listed,
        excepted=frozenset(schedule.except_on),
    )
