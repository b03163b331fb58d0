"""What schedules mean, found by walking every minute: the slow truth that the tests compare edges and overlaps with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo

from decision.examples import MINUTE
from prebuilds import Precedence, Schedule, parse_window

Stretch = tuple[datetime, datetime]


def has_date(schedule: Schedule, day: date) -> bool:
    """Whether the schedule is for this date: its dates or its period, without the exceptions."""
    is_named = day in schedule.dates if schedule.dates else True
    is_late_enough = schedule.starts_on is None or schedule.starts_on <= day
    is_early_enough = schedule.ends_on is None or day <= schedule.ends_on
    return is_named and is_late_enough and is_early_enough and day not in schedule.except_on


def contains(schedule: Schedule, local: datetime) -> bool:
    """Whether the schedule's own minutes have this wall-clock time."""
    return parse_window(schedule.cron).contains(local) and has_date(schedule, local.date())


def walk(schedule: Schedule, zone: tzinfo, begin: datetime, end: datetime) -> Iterator[Stretch]:
    """When the schedule is open between these instants, minute for minute, each minute with the lead before it."""
    minute = begin.replace(second=0, microsecond=0)
    while minute < end + schedule.lead:
        if contains(schedule, minute.astimezone(zone)):
            yield minute - schedule.lead, minute + MINUTE
        minute += MINUTE


def join(stretches: Iterator[Stretch]) -> list[Stretch]:
    """The stretches, which come in order; those that meet are one."""
    joined: list[Stretch] = []
    for begin, end in stretches:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


class Walk:
    """The schedules of a preset over a few days. `choose` gives the position of the one that counts at an instant."""

    def __init__(
        self, schedules: Sequence[Schedule], precedence: Precedence, zone: tzinfo, now: datetime, days: int
    ) -> None:
        self.end = now + timedelta(days=days, minutes=1)
        self._schedules = schedules
        self._precedence = precedence
        self._now = now
        self._stretches = [join(walk(schedule, zone, now, self.end)) for schedule in schedules]

    def choose(self, at: datetime) -> int | None:
        found = [index for index, rows in enumerate(self._stretches) if any(begin <= at < end for begin, end in rows)]
        for_dates = [index for index in found if is_for_dates(self._schedules[index])]
        ranked = for_dates or found
        return (ranked[-1] if self._precedence is Precedence.LAST_WINS else ranked[0]) if ranked else None

    def find_next_edge(self) -> datetime | None:
        """The first instant after `now` at which another schedule counts; None if it is not within the days."""
        edges = sorted({edge for rows in self._stretches for stretch in rows for edge in stretch})
        current = self.choose(self._now)
        return next((at for at in edges if self._now < at < self.end and self.choose(at) != current), None)


def is_for_dates(schedule: Schedule) -> bool:
    """Whether it is for some dates and not for every week."""
    return bool(schedule.dates) or (schedule.starts_on is not None and schedule.ends_on is not None)
