"""Timetables: schedules in a time zone, what is wrong with them, and when they next change (R3, R12)."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import reset_tzpath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from decision.examples import HOUR, MICROSECOND, NOW, UTC
from prebuilds import Schedule, ScheduleProblem, check_schedules
from prebuilds.decision.schedules import edges
from prebuilds.decision.schedules.openings import Opening
from prebuilds.decision.schedules.timetables import Timetable, compile_schedules
from prebuilds.decision.schedules.zones import _get_names, load_zone
from prebuilds.testing import strategies

JUMPS = (
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # Berlin, Casablanca's Ramadan, New York, Lord Howe, and Apia's lost day
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 2, 15, 2, tzinfo=UTC),
    datetime(2026, 3, 22, 2, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
)
NEAR_JUMPS = st.builds(
    lambda jump, before: jump - before, st.sampled_from(JUMPS), st.timedeltas(timedelta(hours=-2), timedelta(days=1))
)


def make_timetable(*crons: str, zone: str = "Europe/Berlin") -> Timetable:
    timetable = compile_schedules(tuple(Schedule(cron=cron, instances=1) for cron in crons), zone)
    assert isinstance(timetable, Timetable), timetable
    return timetable


def find_edges(timetable: Timetable, now: datetime, count: int) -> list[str]:
    """The next edges, on the wall clock of the timetable's zone with its offset."""
    found: list[str] = []
    edge: datetime | None = now
    while len(found) < count and edge is not None and (edge := timetable.find_next_edge(edge)) is not None:
        found.append(edge.astimezone(timetable.zone).isoformat())
    return found


def test_all_problems_are_reported_at_once() -> None:
    """The zone, each bad field of each expression, and each pair that overlaps, with the first hour they share."""
    schedules = [
        Schedule(cron="* 8-18 * * 1-5", instances=1),
        Schedule(cron="* 25 * * 8", instances=1),
        Schedule(cron="* 18 * * *", instances=2),
    ]
    problems = check_schedules(schedules, "Mars/Olympus")
    assert problems == (
        ScheduleProblem(schedules=(), message="'Mars/Olympus' is not a known time zone"),
        ScheduleProblem(schedules=(1,), message="hour field: `25` is not from 0 to 23"),
        ScheduleProblem(schedules=(1,), message="day-of-week field: `8` is not from 0 to 7"),
        ScheduleProblem(
            schedules=(0, 2), message="`* 8-18 * * 1-5` and `* 18 * * *` overlap, first on Mon 1 Jan, 18:00-18:59"
        ),
    )
    assert [str(problem) for problem in problems] == [
        "timezone: 'Mars/Olympus' is not a known time zone",
        "schedules[1]: hour field: `25` is not from 0 to 23",
        "schedules[1]: day-of-week field: `8` is not from 0 to 7",
        "schedules[0] and schedules[2]: `* 8-18 * * 1-5` and `* 18 * * *` overlap, first on Mon 1 Jan, 18:00-18:59",
    ]


@pytest.mark.parametrize("zone", [None, ""])
def test_schedules_need_a_zone(zone: str | None) -> None:
    """Wall-clock hours mean nothing without one; without schedules none is needed."""
    problem = ScheduleProblem(schedules=(), message="missing; schedules need the name of a time zone")
    assert check_schedules([Schedule(cron="* 8 * * *", instances=1)], zone) == (problem,)
    assert check_schedules([], zone) == ()


def test_every_pair_that_overlaps_is_reported() -> None:
    """Not neighbours alone."""
    schedules = [Schedule(cron=cron, instances=1) for cron in ("* 8 * * *", "* 9 * * *", "* 8-9 * * 1")]
    assert [problem.schedules for problem in check_schedules(schedules, "UTC")] == [(0, 2), (1, 2)]


def test_the_name_of_a_module_is_no_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package tzdata, where it is installed, has modules beside its zones."""
    package = tmp_path / "tzdata" / "zoneinfo"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tzdata"]:
        monkeypatch.delitem(sys.modules, name)
    (problem,) = check_schedules([Schedule(cron="* 8 * * *", instances=1)], "__init__/x")
    assert str(problem) == "timezone: '__init__/x' is not a known time zone"


@pytest.mark.parametrize("zone", ["Europe", "../etc/passwd", "x" * 300, "tzdata.zi", "CEST", "\udc80"])
def test_an_unknown_zone_name_is_a_problem_and_not_a_failure(zone: str) -> None:
    """A directory, a path out of the database, a name too long: nothing but a time zone is read as one."""
    (problem,) = check_schedules([Schedule(cron="* 8 * * *", instances=1)], zone)
    assert problem.schedules == ()
    assert problem.message.endswith("is not a known time zone")


@pytest.mark.parametrize(
    ("zone", "nearest"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        (" Europe/Berlin ", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("utc", "UTC"),
        ("Europe/Berlin\0", "Europe/Berlin"),
    ],
)
def test_the_nearest_name_is_suggested(zone: str, nearest: str) -> None:
    """For names in the wrong case, with a blank, without a continent, or misspelt by a letter."""
    (problem,) = check_schedules([Schedule(cron="* 8 * * *", instances=1)], zone)
    assert str(problem) == f"timezone: {zone!r} is not a known time zone: the nearest name is {nearest}"


def test_without_a_database_utc_works_and_the_package_is_named() -> None:
    """As on Windows, and in small containers. A process of its own, as zones are kept once they have been read."""
    code = (
        "from prebuilds import Schedule, check_schedules\n"
        "for zone in ('UTC', 'Europe/Berlin'):\n"
        "    print([str(problem) for problem in check_schedules([Schedule(cron='* 8 * * *', instances=1)], zone)])"
    )
    command = [sys.executable, "-c", f"import sys; sys.modules['tzdata'] = None\n{code}"]
    environment = os.environ | {"PYTHONTZPATH": ""}
    done = subprocess.run(command, capture_output=True, check=False, text=True, env=environment)
    problem = "timezone: 'Europe/Berlin' is not a known time zone: only UTC is, as there is no database of time zones"
    assert (done.stdout, done.stderr) == (f'[]\n["{problem} (install tzdata)"]\n', "")


def test_without_a_database_no_name_is_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none to suggest: the message says that only UTC is known."""
    _get_names.cache_clear()
    monkeypatch.setitem(sys.modules, "tzdata", None)
    reset_tzpath(to=())
    try:
        with pytest.raises(ValueError, match=r"'Europe/Nowhere' is not a known time zone: only UTC is, as there is no"):
            load_zone("Europe/Nowhere")
    finally:
        reset_tzpath()
        _get_names.cache_clear()


def test_a_single_bad_schedule_is_caught() -> None:
    """The original checks sets only, and lets a lone bad expression pass."""
    assert check_schedules([Schedule(cron="60 9 * * *", instances=1)], "UTC") == (
        ScheduleProblem(schedules=(0,), message="minute field: `60` is not from 0 to 59"),
    )


def test_edges_come_on_the_hour_of_the_zone() -> None:
    """From a Monday morning in Berlin: the window's end, then the next day's opening."""
    assert find_edges(make_timetable("* 8-18 * * 1-5"), NOW, 2) == [
        "2026-11-23T19:00:00+01:00",
        "2026-11-24T08:00:00+01:00",
    ]


def test_adjoining_windows_change_where_they_meet() -> None:
    """The end of one window is the beginning of the other: one edge, not two."""
    assert find_edges(make_timetable("* 0-11 * * *", "* 12-23 * * *"), NOW, 2) == [
        "2026-11-23T12:00:00+01:00",
        "2026-11-24T00:00:00+01:00",
    ]


def test_an_hour_that_is_skipped_opens_no_window() -> None:
    """In Berlin, on 29 March 2026, 02:00 to 03:00 does not exist: a window of that hour stays shut that day."""
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert find_edges(make_timetable("* 2 * * *"), now, 2) == ["2026-03-30T02:00:00+02:00", "2026-03-30T03:00:00+02:00"]


def test_a_window_may_open_at_a_clock_change() -> None:
    """A window from 02:00 opens at 03:00 on the day that 02:00 is skipped."""
    now = datetime(2026, 3, 29, 0, tzinfo=UTC)
    assert find_edges(make_timetable("* 2-5 * * *"), now, 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T06:00:00+02:00",
    ]


def test_an_hour_that_is_repeated_keeps_a_window_open_twice() -> None:
    """On 25 October 2026 the hour from 02:00 happens twice: the window is open for two hours on end."""
    now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert find_edges(make_timetable("* 2 * * *"), now, 2) == ["2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"]
    assert find_edges(make_timetable("* 1 * * *"), now, 2) == ["2026-10-25T01:00:00+02:00", "2026-10-25T02:00:00+02:00"]


def test_half_an_hour_repeated_keeps_a_window_open() -> None:
    """On Lord Howe the clock goes back by half an hour at 02:00, so that 01:00 to 02:00 takes 90 minutes."""
    now = datetime(2026, 4, 4, 12, tzinfo=UTC)
    assert find_edges(make_timetable("* 1 * * *", zone="Australia/Lord_Howe"), now, 2) == [
        "2026-04-05T01:00:00+11:00",
        "2026-04-05T02:00:00+10:30",
    ]


def test_an_offset_changes_at_its_very_second() -> None:
    """Dublin first went to summer time in 1916 at 02:25:21 UTC; the seconds of `now` do not matter."""
    timetable = make_timetable("* 3 * * *", zone="Europe/Dublin")
    for now in (datetime(1916, 5, 21, 1, tzinfo=UTC), datetime(1916, 5, 21, 1, 7, 17, 500_000, tzinfo=UTC)):
        assert timetable.find_next_edge(now) == datetime(1916, 5, 21, 2, 25, 21, tzinfo=UTC)


def test_a_day_that_is_skipped_has_no_edges() -> None:
    """Apia went from 29 to 31 December 2011: the 30th never was, and the 31st began where it would have."""
    now = datetime(2011, 12, 29, 12, tzinfo=UTC)
    timetable = make_timetable("* * 30 12 *", "* * 31 12 *", zone="Pacific/Apia")
    assert find_edges(timetable, now, 2) == ["2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"]


def test_a_rare_window_is_found_years_ahead() -> None:
    """The next leap day after 2096 that counts is in 2104, as 2100 has none."""
    now = datetime(2096, 3, 1, tzinfo=UTC)
    assert find_edges(make_timetable("* 9 29 2 *", zone="UTC"), now, 1) == ["2104-02-29T09:00:00+00:00"]


@pytest.mark.parametrize("cron", ["* * * * *", "* * 30 2 *"])
def test_what_never_changes_has_no_edge(cron: str) -> None:
    """A window that is always open, or never."""
    assert make_timetable(cron).find_next_edge(NOW) is None


def test_there_is_no_edge_beyond_the_end_of_time() -> None:
    """Close to the last date that a datetime can hold, no edge is found rather than an overflow."""
    timetable = make_timetable("* 9 29 2 *", zone="Pacific/Apia")
    assert timetable.find_next_edge(datetime(9999, 12, 29, tzinfo=UTC)) is None
    late = make_timetable("* 13 * * *", zone="Etc/GMT+12")
    assert late.find_next_edge(datetime(9999, 12, 29, 0, tzinfo=UTC)) == datetime(9999, 12, 29, 1, tzinfo=UTC)
    assert late.find_next_edge(datetime(9999, 12, 29, 23, tzinfo=UTC)) is None


@given(
    strategies.instants() | NEAR_JUMPS,
    st.lists(strategies.crons(), min_size=1, max_size=2),
    st.sampled_from(strategies.ZONES),
    st.lists(st.floats(0, 1), max_size=20),
)
def test_nothing_changes_before_the_next_edge(
    now: datetime, crons: list[str], zone: str, fractions: list[float]
) -> None:
    """Up to the edge the same window is open as now, to the microsecond; at the edge it is not."""
    timetable = compile_schedules(tuple(Schedule(cron=cron, instances=1) for cron in crons), zone)
    assume(isinstance(timetable, Timetable))
    assert isinstance(timetable, Timetable)
    edge = timetable.find_next_edge(now)
    span = (edge or now + timedelta(days=40)) - now
    current = timetable.get_opening(now)
    for moment in (*(now + fraction * (span - MICROSECOND) for fraction in fractions), now + span - MICROSECOND):
        assert timetable.get_opening(moment) == current
    assert edge is None or timetable.get_opening(edge) != current


@given(NEAR_JUMPS, st.sampled_from(strategies.ZONES))
def test_edges_agree_with_walking_the_clock(now: datetime, zone: str) -> None:
    """The edge is the first whole minute, of those of the next three days, at which another window is open."""
    timetable = make_timetable("* 0-1,23 * * *", "* 2 * * *", "* 3,12 * * *", zone=zone)
    current = timetable.get_opening(now)
    start = now.replace(second=0, microsecond=0, tzinfo=timezone.utc)
    minutes = (start + timedelta(minutes=minute) for minute in range(1, 60 * 72))
    assert timetable.find_next_edge(now) == next(at for at in minutes if timetable.get_opening(at) != current)


WHOLE_DAYS = st.tuples(
    st.sampled_from(["*", "1-28", "30", "31", "1,15", "27-31"]),
    st.sampled_from(["*", "1-11", "3,10", "2-12/2"]),
    st.sampled_from(["*", "1-5", "0,6"]),
).map(lambda fields: "* * {} {} {}".format(*fields))
AROUND_JUMPS = st.builds(
    lambda jump, before: jump - before, st.sampled_from(JUMPS), st.timedeltas(timedelta(days=-2), timedelta(days=40))
)


WHOLE_HOURS = strategies.crons().map(lambda cron: " ".join(("*", *cron.split()[1:])))


@given(strategies.instants() | AROUND_JUMPS, WHOLE_HOURS | WHOLE_DAYS, st.sampled_from(strategies.ZONES))
def test_edges_agree_with_walking_the_hours(now: datetime, cron: str, zone: str) -> None:
    """However many whole days lie between: the edge is the first quarter of an hour at which something else is open."""
    timetable = make_timetable(cron, zone=zone)
    current, start = timetable.get_opening(now), now.replace(minute=0, second=0, microsecond=0)
    quarters = [start + timedelta(minutes=15 * quarter) for quarter in range(1, 60 * 24 * 4)]
    walked = next((at for at in quarters if at > now and timetable.get_opening(at) != current), None)
    edge = timetable.find_next_edge(now)
    assert edge == walked or (walked is None and (edge is None or edge > quarters[-1]))


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The instants whose offset is measured, and the local times at which a window is looked at."""
    looked: list[datetime] = []
    measure_stretch, contains = edges.measure_stretch, Opening.contains

    def watch_stretches(zone: tzinfo, begin: datetime) -> tuple[timedelta, datetime]:
        looked.append(begin)
        return measure_stretch(zone, begin)

    def watch_windows(opening: Opening, local: datetime) -> bool:
        looked.append(local)
        return contains(opening, local)

    monkeypatch.setattr(edges, "measure_stretch", watch_stretches)
    monkeypatch.setattr(Opening, "contains", watch_windows)
    return looked


FAR = datetime(2097, 1, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "edge"),
    [
        ({"cron": "* * * 1-11 *"}, "2097-12-01T00:00:00+01:00"),
        ({"cron": "* * 29 2 *"}, "2104-02-29T00:00:00+01:00"),
        ({"cron": "15 7 29 2 *", "lead": timedelta(minutes=45)}, "2104-02-29T06:30:00+01:00"),
        ({"cron": "30 9 * 12 *"}, "2097-12-01T09:30:00+01:00"),
        ({"cron": "30 9 * * *", "dates": [date(2110, 5, 1)]}, "2110-05-01T09:30:00+02:00"),
        ({"cron": "30 9 * * *", "starts_on": date(2110, 5, 1), "lead": HOUR}, "2110-05-01T08:30:00+02:00"),
        ({"cron": "* * * * *", "ends_on": date(2110, 5, 1)}, "2110-05-02T00:00:00+02:00"),
        ({"cron": "* * * * *", "except_on": [date(2110, 5, 1)], "lead": HOUR}, "2110-05-01T00:00:00+02:00"),
    ],
    ids=str,
)
def test_days_on_which_nothing_changes_are_skipped(schedule: dict[str, Any], edge: str, looked: list[datetime]) -> None:
    """A window of eleven months is not walked through hour by hour, nor is the time until a leap day or a date."""
    timetable = compile_schedules((Schedule(instances=1, **schedule),), "Europe/Berlin")
    assert isinstance(timetable, Timetable)
    assert find_edges(timetable, FAR, 1) == [edge]
    assert len(looked) < 20


def test_what_is_below_the_open_window_is_not_looked_at(looked: list[datetime]) -> None:
    """A window for every other minute has ten thousands of edges in a month that has a schedule of its own."""
    month = Schedule(cron="* * * * *", instances=9, starts_on=date(2097, 1, 1), ends_on=date(2097, 1, 31))
    timetable = compile_schedules((Schedule(cron="*/2 * * * *", instances=1), month), "Europe/Berlin")
    assert isinstance(timetable, Timetable)
    assert find_edges(timetable, FAR, 1) == ["2097-02-01T00:00:00+01:00"]
    assert len(looked) < 20


def test_a_date_that_occurs_twice_is_not_skipped() -> None:
    """Alaska's clocks went back by a whole day when it was sold: 18 October 1867, from 15:33 on, came once more."""
    timetable = make_timetable("* 17 18 10 *", zone="America/Juneau")
    now = datetime(1867, 10, 18, 5, tzinfo=UTC)
    assert find_edges(timetable, now, 2) == ["1867-10-18T17:00:00-08:57:41", "1867-10-18T18:00:00-08:57:41"]


def test_a_date_that_begins_with_a_clock_change_is_not_skipped() -> None:
    """In Toronto the clock jumped over midnight in 1919, from 23:30 on: the last of March began half an hour later."""
    timetable = make_timetable("* * 31 3 *", zone="America/Toronto")
    assert find_edges(timetable, datetime(1919, 1, 1, tzinfo=UTC), 1) == ["1919-03-31T00:30:00-04:00"]


def test_berlin_is_an_hour_ahead_in_winter() -> None:
    """The window is judged on the wall clock of its zone, not in UTC."""
    timetable = make_timetable("* 10 * * *")
    assert timetable.get_opening(NOW) is not None
    assert timetable.get_opening(NOW - HOUR) is None
