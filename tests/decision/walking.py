"""What schedules mean, found by walking every minute: the slow truth that the tests compare edges and overlaps with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo

import attrs

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
        self,
        schedules: Sequence[Schedule],
        precedence: Precedence,
        zone: tzinfo,
        now: datetime,
        *,
        days: int,
        base: int = 0,
    ) -> None:
        self.end = now + timedelta(days=days, minutes=1)
        self._schedules = schedules
        self._base = base
        self._now = now
        self._stretches = [join(walk(schedule, zone, now, self.end)) for schedule in schedules]
        own = [attrs.evolve(schedule, lead=timedelta()) for schedule in schedules]
        self._own = [join(walk(schedule, zone, now, self.end)) for schedule in own]
        places = range(len(schedules))
        last_first = reversed(places) if precedence is Precedence.LAST_WINS else places
        self._ranked = sorted(last_first, key=lambda place: not is_for_dates(schedules[place]))

    def choose(self, at: datetime) -> int | None:
        found = [place for place in self._ranked if is_within(self._stretches[place], at)]
        ahead = [
            place for place in found if is_for_dates(self._schedules[place]) and not is_within(self._own[place], at)
        ]
        others = [place for place in found if place not in ahead]
        least = self._schedules[others[0]].instances if others else self._base
        # A lead for a schedule that stands lower is not looked at.
        above = [place for place in ahead if not others or found.index(place) < found.index(others[0])]
        if above and self._schedules[above[0]].instances >= least:
            return above[0]
        return others[0] if others else None

    def find_next_edge(self) -> datetime | None:
        """The first instant after `now` at which another schedule counts; None if it is not within the days."""
        edges = sorted({edge for rows in (*self._stretches, *self._own) for stretch in rows for edge in stretch})
        current = self.choose(self._now)
        return next((at for at in edges if self._now < at < self.end and self.choose(at) != current), None)


def is_within(stretches: Sequence[Stretch], at: datetime) -> bool:
    return any(begin <= at < end for begin, end in stretches)


def is_for_dates(schedule: Schedule) -> bool:
    """Whether it is for some dates and not for every week."""
    return bool(schedule.dates) or (schedule.starts_on is not None and schedule.ends_on is not None)
