"""The problems of a fleet file, each with its place, the value and what is allowed.

- All problems are listed at once. A field that cannot be read hides no other problem.
- Only the document and the time zone database count: no clock and no store is read.
- The schedules of inactive presets are checked too, as they will count once the preset is active.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from statistics import median_low
from typing import Any

import attrs

from prebuilds.commands.fleet.files import FleetFile, parse_fleet
from prebuilds.decision.documents.problems import show_json
from prebuilds.decision.models import Preset
from prebuilds.decision.schedules.openings import make_opening
from prebuilds.decision.schedules.schedule import Schedule
from prebuilds.decision.schedules.timetables import ScheduleProblem, check_schedules
from prebuilds.decision.schedules.windows import parse_window
from prebuilds.decision.schedules.zones import load_zone
from prebuilds.errors import InvalidCronError, InvalidSnapshotError

_BLANK = {"id": "?", "desired_instances": 0}
_NOTHING = FleetFile(presets=(), delay=timedelta(), ignored=())
_FEW = 100  # counts up to this are never out of proportion
_TIMES_USUAL = 20
_MOST = 10_000
_PROPORTION = f"{_TIMES_USUAL} times the file's median count but at least {_FEW} and at most {_MOST}"


@attrs.frozen(kw_only=True)
class Problem:
    """A problem at one place in a fleet file.

    `preset_id` is the preset it concerns: `?` if the id cannot be read, and empty for the document as a whole.
    """

    path: str
    message: str
    preset_id: str = ""

    def __str__(self) -> str:
        whose = f" (preset {self.preset_id})" if self.preset_id else ""
        return f"{self.path}: {self.message}{whose}"


def list_unreadable(error: InvalidSnapshotError) -> Iterator[Problem]:
    """The reasons why a document cannot be read."""
    for problem in error.problems:
        path, colon, message = problem.partition(": ")
        yield Problem(path=path, message=message) if colon else Problem(path="document", message=problem)


def find_problems(document: Any) -> tuple[Problem, ...]:
    """All problems of the document: first what cannot be read, then the rest preset by preset."""
    try:
        fleet = parse_fleet(document)
    except InvalidSnapshotError as error:
        presets, delay = _read_what_can_be_read(document)
        return (*list_unreadable(error), *_check(document, presets, delay))
    return tuple(_check(document, dict(enumerate(fleet.presets)), fleet.delay))


def _read_what_can_be_read(document: Any) -> tuple[Mapping[int, Preset], timedelta]:
    """The presets by place, without their unreadable fields, and how long builds take."""
    body = document if isinstance(document, Mapping) else {}
    snapshot, builder = body.get("snapshot", body), body.get("builder")
    rows = snapshot.get("presets") if isinstance(snapshot, Mapping) else None
    presets = {place: _read_preset(row) for place, row in enumerate(rows if isinstance(rows, list) else ())}
    delay = builder.get("delay_seconds", 0) if isinstance(builder, Mapping) else 0
    return presets, _try({"builder": {"delay_seconds": delay}, "snapshot": {}}).delay


def _read_preset(row: Any) -> Preset:
    fields = row.items() if isinstance(row, Mapping) else ()
    kept = {key: value for key, value in fields if _try({"presets": [{**_BLANK, key: value}]}).presets}
    (preset,) = parse_fleet({"presets": [_BLANK | kept]}).presets
    return preset


def _try(document: Mapping[str, Any]) -> FleetFile:
    try:
        return parse_fleet(document)
    except InvalidSnapshotError:
        return _NOTHING  # already listed


def _check(document: Any, presets: Mapping[int, Preset], delay: timedelta) -> Iterator[Problem]:
    prefix = "snapshot." if isinstance(document, Mapping) and "snapshot" in document else ""
    most = _calculate_most(count for preset in presets.values() for _, count in _list_counts(preset))
    for place, preset in presets.items():
        own = (*_check_times(preset), *_check_ttl(preset, delay), *_check_deadlines(preset, delay))
        for path, message in (*own, *_check_counts(preset, most)):
            yield Problem(path=f"{prefix}presets[{place}].{path}", message=message, preset_id=preset.id)


def _check_times(preset: Preset) -> Iterator[tuple[str, str]]:
    for problem in check_schedules(preset.schedules, preset.timezone, preset.precedence):
        yield _place(problem, preset)
    if preset.timezone and not preset.schedules:
        try:
            load_zone(preset.timezone)
        except ValueError as error:
            yield "timezone", str(error)
    for index, schedule in enumerate(preset.schedules):
        if not _may_open(schedule):
            yield f"schedules[{index}].cron", f"`{schedule.cron}` never opens; it must have {_describe_dates(schedule)}"


def _place(problem: ScheduleProblem, preset: Preset) -> tuple[str, str]:
    if not problem.schedules:
        return "timezone", problem.message
    if len(problem.schedules) == 1:
        (index,) = problem.schedules
        return f"schedules[{index}].cron", f"{show_json(preset.schedules[index].cron)}: {problem.message}"
    return "schedules", f"{problem}; no hour may be in two windows"


def _describe_dates(schedule: Schedule) -> str:
    return "one of the schedule's own dates" if schedule.is_for_dates else "a date that exists"


def _may_open(schedule: Schedule) -> bool:
    """False if the expression can be read, but its window never opens."""
    try:
        return make_opening(schedule, parse_window(schedule.cron), 0).is_ever_open
    except InvalidCronError:
        return True  # already listed


def _check_ttl(preset: Preset, delay: timedelta) -> Iterator[tuple[str, str]]:
    if preset.ttl and preset.ttl <= delay:
        ttl, lead = _show_seconds(preset.ttl), _show_seconds(delay)
        allowed = f"more than builder.delay_seconds, {lead}, as a prebuild ages while it is built, or null"
        yield "ttl_seconds", f"{ttl} is not allowed; it must be {allowed}"


def _check_deadlines(preset: Preset, delay: timedelta) -> Iterator[tuple[str, str]]:
    """Deadlines and refreshing ahead need more time than a build takes (R14, R16)."""
    deadline, ahead, lead = preset.build_deadline, preset.refresh_ahead, _show_seconds(delay)
    if deadline and deadline <= delay:
        allowed = f"more than builder.delay_seconds, {lead}, or every start is overdue, or null"
        yield "build_deadline_seconds", f"{_show_seconds(deadline)} is not allowed; it must be {allowed}"
    if ahead and ahead < delay:
        allowed = f"at least builder.delay_seconds, {lead}, or prebuilds expire before they are replaced, or null"
        yield "refresh_ahead_seconds", f"{_show_seconds(ahead)} is not allowed; it must be {allowed}"
    shortest = preset.ttl * (1 - preset.ttl_jitter) if preset.ttl else None
    if ahead and delay and shortest is not None and ahead >= shortest:
        allowed = f"less than the shortest ttl, {_show_seconds(shortest)}, or prebuilds are replaced for ever, or null"
        yield "refresh_ahead_seconds", f"{_show_seconds(ahead)} is not allowed; it must be {allowed}"


def _show_seconds(duration: timedelta) -> str:
    seconds = duration.total_seconds()
    return show_json(int(seconds) if seconds.is_integer() else seconds)


def _list_counts(preset: Preset) -> Iterator[tuple[str, int]]:
    yield "desired_instances", preset.desired_instances
    for index, schedule in enumerate(preset.schedules):
        yield f"schedules[{index}].instances", schedule.instances


def _calculate_most(counts: Iterable[int]) -> int:
    """The largest count in proportion to the usual count: the median of all counts but 0."""
    usual = median_low([count for count in counts if count] or [0])
    return min(max(_FEW, _TIMES_USUAL * usual), _MOST)


def _check_counts(preset: Preset, most: int) -> Iterator[tuple[str, str]]:
    for place, count in _list_counts(preset):
        if count > most:
            yield place, f"{count} is out of proportion; it must be a number from 0 to {most}, {_PROPORTION}"
