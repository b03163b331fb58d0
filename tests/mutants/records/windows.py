"""Bugs of schedules: windows, their edges, and what is told of those that cannot be used."""

from __future__ import annotations

from mutants.records.mutant import Mutant

WINDOWS = (
    Mutant(
        "an overlap is found by hours alone",
        "decision/schedules/windows.py",
        "            weekdays = a.weekdays_on(day) & b.weekdays_on(day)\n",
        "            weekdays = a.weekdays & b.weekdays\n",
    ),
    Mutant(
        "day 0 is accepted",
        "decision/schedules/windows.py",
        '_Field("day-of-month", 1, 31)',
        '_Field("day-of-month", 0, 31)',
    ),
    Mutant(
        "Sunday is 7 too",
        "decision/schedules/windows.py",
        '_Field("day-of-week", 0, 6, _WEEKDAYS)',
        '_Field("day-of-week", 0, 7, _WEEKDAYS)',
    ),
    Mutant(
        "the first of two suggested ranges ends too early",
        "decision/schedules/windows.py",
        "cut = self.high - low + 1",
        "cut = self.high - low",
        tests=("decision/test_windows.py",),
    ),
    Mutant(
        "a single schedule is never checked",
        "decision/schedules/timetables.py",
        "    return tuple(problems)",
        "    return tuple(problems) if len(schedules) > 1 else ()",
    ),
    Mutant(
        "a date that occurs twice is skipped",
        "decision/schedules/timetables.py",
        "first = begin.astimezone(self.zone).date() - _DAY\n",
        "first = begin.astimezone(self.zone).date()\n",
        tests=("decision/test_timetables.py",),
    ),
    Mutant(
        "a date that begins with a clock change is found too late",
        "decision/schedules/timetables.py",
        "datetime.combine(other - _DAY, time.min, tzinfo=self.zone)",
        "datetime.combine(other, time.min, tzinfo=self.zone)",
        tests=("decision/test_timetables.py",),
    ),
    Mutant(
        "a day with an hour at which the window is shut is skipped",
        "decision/schedules/timetables.py",
        "return len(current.window.hours) == 24 and current.window.has_date(day)",
        "return current.window.has_date(day)",
        tests=("decision/test_timetables.py",),
    ),
    Mutant(
        "an edge is looked for day by day, with the offset of each",
        "decision/schedules/timetables.py",
        "            begin = self._pass_over(end, current)\n",
        "            begin = end\n",
        tests=("decision/test_timetables.py",),
    ),
    Mutant(
        "the schedules of an inactive preset are looked at",
        "decision/targets.py",
        "    if not preset.is_active:\n        return _INACTIVE\n",
        "    if not preset.is_active and not preset.schedules:\n        return _INACTIVE\n",
    ),
    Mutant(
        "an edge is kept at the very instant at which it passes",
        "decision/targets.py",
        "(edge is None or now < edge)",
        "(edge is None or now <= edge)",
        tests=("decision/test_targets.py",),
    ),
    Mutant(
        "an edge is the answer for instants before the one it was asked for",
        "decision/targets.py",
        "return asked <= now and (",
        "return (",
        tests=("decision/test_targets.py",),
    ),
    Mutant(
        "a window's edge is looked for at every pass",
        "decision/targets.py",
        "if known is None or not _is_between(now, *known):",
        "if known is None or now != known[0]:",
        tests=("decision/test_targets.py",),
    ),
    Mutant(
        "UTC needs a database of time zones",
        "decision/schedules/zones.py",
        '    if name == "UTC":\n        return timezone.utc\n',
        "",
        tests=("decision/test_timetables.py",),
    ),
    Mutant(
        "schedules that cannot be used are logged at every pass",
        "runtime/loop/schedule_warnings.py",
        "if error != self._told.get(preset_id):",
        "if error or preset_id in self._told:",
        tests=("runtime/test_scheduling.py",),
    ),
    Mutant(
        "a change of what is wrong with schedules is not logged",
        "runtime/loop/schedule_warnings.py",
        "if error != self._told.get(preset_id):",
        "if (error is None) == (preset_id in self._told):",
        tests=("runtime/test_scheduling.py",),
    ),
)
