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
from prebuilds.decision.judging.budgets import check_budget
from prebuilds.decision.judging.build_times import check_build_times
from prebuilds.decision.judging.checking import check_preset
from prebuilds.decision.judging.findings import Finding, Severity
from prebuilds.decision.models import Preset
from prebuilds.decision.policies.budgets import Budget
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

    `preset_id` is the preset it concerns: `?` if the id cannot be read, and empty for the document as a whole or a
    budget. `finding` is the kind of a finding, and empty for anything else.
    """

    path: str
    message: str
    preset_id: str = ""
    severity: Severity = Severity.ERROR
    finding: str = ""

    def __str__(self) -> str:
        whose = f" (preset {self.preset_id})" if self.preset_id else ""
        grade = "warning: " if self.severity is Severity.WARNING else ""
        return f"{self.path}: {grade}{self.message}{whose}"


@attrs.frozen(kw_only=True)
class CheckedFile:
    """What could be read of a document: presets by their places, without their unreadable fields, and budgets."""

    prefix: str
    presets: Mapping[int, Preset]
    budgets: tuple[Budget, ...]
    delay: timedelta
    """How long a build takes, as the file says; 0 if it does not."""
    unreadable: tuple[Problem, ...] = ()

    def place(self, finding: Finding) -> Problem:
        """A finding as the problem of its place in the document."""
        if finding.preset_id:
            numbers = (number for number, preset in self.presets.items() if preset.id == finding.preset_id)
            place = f"{self.prefix}presets[{next(numbers)}]"
        else:
            place = f"budgets[{[budget.name for budget in self.budgets].index(finding.budget)}]"
        return _make_problem(finding, place)


def _make_problem(finding: Finding, place: str) -> Problem:
    unit = "_seconds" if isinstance(finding.given, timedelta) and finding.setting != "desired_instances" else ""
    return Problem(
        path=f"{place}.{finding.setting}{unit}",
        message=finding.message,
        preset_id=finding.preset_id,
        severity=finding.severity,
        finding=finding.kind.value,
    )


def list_unreadable(error: InvalidSnapshotError) -> Iterator[Problem]:
    """The reasons why a document cannot be read."""
    for problem in error.problems:
        path, colon, message = problem.partition(": ")
        yield Problem(path=path, message=message) if colon else Problem(path="document", message=problem)


def read_checked(document: Any) -> CheckedFile:
    """What can be read of a document, and the problems of what cannot."""
    prefix = "snapshot." if isinstance(document, Mapping) and "snapshot" in document else ""
    try:
        fleet = parse_fleet(document)
    except InvalidSnapshotError as error:
        presets, delay = _read_what_can_be_read(document)
        unreadable = tuple(list_unreadable(error))
        return CheckedFile(prefix=prefix, presets=presets, budgets=(), delay=delay, unreadable=unreadable)
    presets = dict(enumerate(fleet.presets))
    return CheckedFile(prefix=prefix, presets=presets, budgets=fleet.budgets, delay=fleet.delay)


def find_problems(file: CheckedFile, *, lead_time: timedelta | None = None) -> tuple[Problem, ...]:
    """All problems: first what cannot be read, then the rest preset by preset, then budgets.

    `lead_time` is how long a build takes, by default what the file says.
    """
    lead = file.delay if lead_time is None else lead_time
    presets = tuple(file.presets.values())
    of_budgets = (finding for budget in file.budgets for finding in check_budget(budget, presets, lead))
    return (*file.unreadable, *_check_presets(file, lead), *map(file.place, of_budgets))


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


def _check_presets(file: CheckedFile, lead_time: timedelta) -> Iterator[Problem]:
    # A count that cannot be read may be any, so it is not known what the targets are, or whether there are any.
    check = check_build_times if file.unreadable else check_preset
    most = _calculate_most(count for preset in file.presets.values() for _, count in _list_counts(preset))
    for number, preset in file.presets.items():
        place = f"{file.prefix}presets[{number}]"
        yield from _make_problems(_check_times(preset), place, preset)
        yield from (_make_problem(finding, place) for finding in check(preset, lead_time))
        yield from _make_problems(_check_counts(preset, most), place, preset)


def _make_problems(found: Iterable[tuple[str, str]], place: str, preset: Preset) -> Iterator[Problem]:
    for path, message in found:
        yield Problem(path=f"{place}.{path}", message=message, preset_id=preset.id)


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
