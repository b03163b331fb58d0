"""Timetables: the schedules of a preset as windows in a time zone, or the problems that prevent it.

- A set of schedules is usable as a whole or not at all (R3): the zone exists, expressions parse, no windows overlap
  that must not.
- A timetable is a pure function of schedules, zone and precedence, so it is made once and cached.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache
from itertools import combinations

import attrs

from prebuilds.decision.schedules.edges import find_edge, find_own_edge, get_horizon, is_open
from prebuilds.decision.schedules.openings import Opening, make_opening
from prebuilds.decision.schedules.overlaps import find_overlap
from prebuilds.decision.schedules.schedule import Precedence, Schedule
from prebuilds.decision.schedules.windows import parse_window
from prebuilds.decision.schedules.zones import load_zone
from prebuilds.errors import InvalidCronError


@attrs.frozen(kw_only=True)
class ScheduleProblem:
    """One problem of a preset's schedules; `schedules` has the positions of the bad ones, () if it is the zone."""

    schedules: tuple[int, ...]
    message: str

    def __str__(self) -> str:
        place = " and ".join(f"schedules[{index}]" for index in self.schedules) or "timezone"
        return f"{place}: {self.message}"


@attrs.frozen(kw_only=True, eq=False)
class Timetable:
    """Windows in one time zone, in the order in which they take precedence, above the preset's own count."""

    openings: tuple[Opening, ...]
    zone: tzinfo
    desired_instances: int = 0

    def get_opening(self, now: datetime) -> Opening | None:
        """The window that counts at this instant, if any is open.

        The lead of a schedule for dates only adds: until its window opens, the larger count holds.
        """
        local = now.astimezone(self.zone)
        ahead: Opening | None = None
        for opening in self.openings:
            if is_open(opening, self.zone, now, local):
                if not opening.is_ahead(local):
                    return self._choose(ahead, opening)
                ahead = ahead or opening
        return self._choose(ahead, None)

    def _choose(self, ahead: Opening | None, other: Opening | None) -> Opening | None:
        least = self.desired_instances if other is None else other.instances
        return other if ahead is None or ahead.instances < least else ahead

    def find_next_edge(self, now: datetime) -> datetime | None:
        """The first instant after `now` at which another window counts, or none; None if that does not happen.

        Looks 400 years ahead.
        """
        until, edge = get_horizon(now), self._find_any_edge(now, get_horizon(now))
        while edge is not None and self._is_no_change(now, edge):
            edge = self._find_any_edge(edge, until)
        return edge

    def _is_no_change(self, now: datetime, edge: datetime) -> bool:
        """Whether this edge is that of a lead which would lower the count, or of what is hidden by a lead."""
        return self._has_leads_for_dates and self.get_opening(edge) is self.get_opening(now)

    @property
    def _has_leads_for_dates(self) -> bool:
        return any(opening.is_for_dates and opening.lead for opening in self.openings)

    def _find_any_edge(self, now: datetime, until: datetime) -> datetime | None:
        """The first edge of a window that may count. What is below an open one is not looked at, as it cannot show."""
        edge: datetime | None = None
        local = now.astimezone(self.zone)
        for opening in self.openings:
            for find in (find_edge, find_own_edge) if opening.is_for_dates and opening.lead else (find_edge,):
                found = find(opening, self.zone, now, until)
                if found is not None:
                    edge = until = found
            if is_open(opening, self.zone, now, local) and not opening.is_ahead(local):
                break
        return edge


def check_schedules(
    schedules: Sequence[Schedule], timezone: str | None, precedence: Precedence = Precedence.FALL_BACK
) -> tuple[ScheduleProblem, ...]:
    """Everything that makes these schedules unusable, for forms and linters, before a decision falls back.

    Reports a missing or unknown zone, each bad field of each expression, and each pair of overlapping windows with the
    first hour that they share, unless `precedence` says which of them counts. No schedules have no problems.
    """
    result = compile_schedules(tuple(schedules), timezone, precedence)
    return result if isinstance(result, tuple) else ()


@lru_cache(maxsize=2**14)
def compile_schedules(
    schedules: tuple[Schedule, ...],
    timezone: str | None,
    precedence: Precedence = Precedence.FALL_BACK,
    desired_instances: int = 0,
) -> Timetable | tuple[ScheduleProblem, ...]:
    """The schedules as a timetable, or all their problems; both are cached."""
    zone = _find_zone(timezone)
    problems = [zone] if isinstance(zone, ScheduleProblem) and schedules else []
    openings: list[Opening] = []
    for index, schedule in enumerate(schedules):
        try:
            openings.append(make_opening(schedule, parse_window(schedule.cron), index))
        except InvalidCronError as error:
            problems += [ScheduleProblem(schedules=(index,), message=f"{text}") for text in error.problems]
    problems += _find_overlaps(openings) if precedence is Precedence.FALL_BACK else ()
    if problems or isinstance(zone, ScheduleProblem):
        return tuple(problems)
    return Timetable(openings=_rank(openings, precedence), zone=zone, desired_instances=desired_instances)


def _rank(openings: Sequence[Opening], precedence: Precedence) -> tuple[Opening, ...]:
    """Those for dates first (R20), then, where a later one wins, the last first."""
    last_first = openings[::-1] if precedence is Precedence.LAST_WINS else openings
    return tuple(sorted(last_first, key=lambda opening: not opening.is_for_dates))


def _find_zone(name: str | None) -> tzinfo | ScheduleProblem:
    if not name:
        return ScheduleProblem(schedules=(), message="missing; schedules need the name of a time zone")
    try:
        return load_zone(name)
    except ValueError as error:
        return ScheduleProblem(schedules=(), message=str(error))


def _find_overlaps(openings: Sequence[Opening]) -> Iterator[ScheduleProblem]:
    for a, b in combinations(openings, 2):
        message = find_overlap(a, b)
        if message is not None:
            yield ScheduleProblem(schedules=(a.index, b.index), message=message)
