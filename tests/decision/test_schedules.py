"""Schedules for dates, with exceptions and a lead, and which of several counts (R20)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from decision.examples import HOUR, MICROSECOND, MINUTE, NOW, UTC, make_fleet, make_preset
from decision.test_timetables import AROUND_JUMPS, find_edges
from decision.walking import Walk, has_date, is_for_dates, walk
from prebuilds import (
    InvalidCronError,
    InvalidValueError,
    Precedence,
    Preset,
    Schedule,
    TargetSource,
    calculate_target,
    check_schedules,
    parse_window,
    plan,
)
from prebuilds.decision.schedules.openings import make_opening
from prebuilds.decision.schedules.timetables import Timetable, compile_schedules
from prebuilds.decision.schedules.zones import load_zone
from prebuilds.testing import strategies

MONDAY, CHRISTMAS = date(2026, 11, 23), date(2026, 12, 25)
WEEK = "* 8-18 * * 1-5"
BERLIN = load_zone("Europe/Berlin")


def make_schedule(cron: str = WEEK, instances: int = 5, **limits: Any) -> Schedule:
    return Schedule(cron=cron, instances=instances, **limits)


def make_timetable(*schedules: Schedule, zone: str = "Europe/Berlin", precedence: str = "fall_back") -> Timetable:
    timetable = compile_schedules(schedules, zone, Precedence(precedence))
    assert isinstance(timetable, Timetable), timetable
    return timetable


def list_targets(preset: Preset, first: datetime, days: int) -> list[int]:
    """The target in the middle of each hour."""
    return [calculate_target(preset, now=first + hour * HOUR + 30 * MINUTE).desired for hour in range(24 * days)]


def check(*schedules: Schedule) -> list[str]:
    return [str(problem) for problem in check_schedules(schedules, "UTC")]


# What a schedule allows.


def test_a_schedule_is_for_every_week_unless_it_says_otherwise() -> None:
    """Every new field is off by default."""
    plain = make_schedule()
    assert (plain.starts_on, plain.ends_on, plain.dates) == (None, None, ())
    assert (plain.except_on, plain.lead) == ((), timedelta())
    assert make_preset().precedence is Precedence.FALL_BACK


def test_a_schedule_is_shown_as_it_was_made() -> None:
    """Without what has its default, so that a list of them can be read."""
    assert repr(make_schedule()) == "Schedule(cron='* 8-18 * * 1-5', instances=5)"
    dated = make_schedule(dates=[MONDAY], lead=HOUR)
    assert repr(dated).endswith(", dates=(datetime.date(2026, 11, 23),), lead=datetime.timedelta(seconds=3600))")


def test_dates_are_kept_sorted_each_once() -> None:
    """Schedules that differ in the order of their dates alone are equal."""
    days = [CHRISTMAS, MONDAY, CHRISTMAS]
    assert make_schedule(dates=days, except_on=days).dates == (MONDAY, CHRISTMAS)
    assert make_schedule(dates=days, except_on=days) == make_schedule(dates=set(days), except_on=(MONDAY, CHRISTMAS))


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"dates": [NOW]}, "dates: (datetime.datetime(2026"),
        ({"dates": "2026-12-25"}, "dates: '2026-12-25' is not allowed; it must be a collection of at most 300 dates"),
        (
            {"except_on": [date(2026, 1, 1) + timedelta(days=day) for day in range(301)]},
            "it must be a collection of at most 300 dates, without times of day",
        ),
        ({"except_on": [CHRISTMAS, "2026-12-25"]}, "except_on: (datetime.date(2026, 12, 25), '2026-12-25') is not"),
        ({"starts_on": NOW}, "it must be a date without a time of day, such as 2026-12-25, or None"),
        ({"ends_on": "2026-12-25"}, "ends_on: '2026-12-25' is not allowed; it must be a date without a time of day"),
        ({"lead": 45}, "lead: 45 is not allowed; it must be a timedelta from 0 to 7 days"),
        ({"lead": -MINUTE}, "it must be a timedelta from 0 to 7 days"),
        ({"lead": timedelta(days=7) + MICROSECOND}, "it must be a timedelta from 0 to 7 days"),
        (
            {"dates": [MONDAY], "ends_on": CHRISTMAS},
            "dates: ['2026-11-23'] is not allowed; it must be empty, as starts_on or ends_on is given",
        ),
        (
            {"starts_on": CHRISTMAS, "ends_on": MONDAY},
            "ends_on: '2026-11-23' is not allowed; it must be the date of starts_on, 2026-12-25, or a later one",
        ),
        (
            {"dates": [MONDAY], "starts_on": CHRISTMAS, "ends_on": MONDAY},
            "dates and ends_on: [['2026-11-23'], '2026-11-23'] is not allowed; it must be empty, as starts_on or "
            "ends_on is given; and the date of starts_on, 2026-12-25, or a later one",
        ),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any], error: str) -> None:
    """When the schedule is made; those that contradict each other in two ways are told both."""
    with pytest.raises(InvalidValueError) as raised:
        make_schedule(**limits)
    assert f"Schedule.{error}" in str(raised.value) or str(raised.value).endswith(error)


def test_a_precedence_may_be_given_by_its_value() -> None:
    """As documents have it; another text is refused."""
    assert make_preset(precedence="last_wins").precedence is Precedence.LAST_WINS
    with pytest.raises(InvalidValueError, match=r"Preset\.precedence: 'first' is not allowed; it must be one of Prec"):
        make_preset(precedence="first")


@pytest.mark.parametrize(
    ("limits", "is_first"),
    [
        ({}, False),
        ({"except_on": [MONDAY]}, False),
        ({"starts_on": MONDAY}, False),
        ({"ends_on": MONDAY}, False),
        ({"starts_on": MONDAY, "ends_on": MONDAY}, True),
        ({"starts_on": MONDAY, "ends_on": CHRISTMAS}, True),
        ({"dates": [MONDAY]}, True),
    ],
)
def test_a_schedule_for_dates_has_a_first_and_a_last(limits: dict[str, Any], is_first: bool) -> None:
    """One that begins and never ends, or ends and never began, is for every week until then."""
    schedule = make_schedule(**limits)
    assert schedule.is_for_dates is is_first
    assert check(make_schedule("* * * * *"), schedule) == [] or not is_first


# The field cases.


def test_a_holiday_is_closed_all_day_and_a_lead_opens_early() -> None:
    """Field case 11: on Friday 25 December nothing, by the clock of the zone; on other days from 07:15 to 19:00."""
    timetable = make_timetable(make_schedule(except_on=[CHRISTMAS], lead=timedelta(minutes=45)))
    assert find_edges(timetable, datetime(2026, 12, 24, tzinfo=UTC), 4) == [
        "2026-12-24T07:15:00+01:00",
        "2026-12-24T19:00:00+01:00",
        "2026-12-28T07:15:00+01:00",
        "2026-12-28T19:00:00+01:00",
    ]
    preset = make_preset(schedules=[make_schedule(except_on=[CHRISTMAS])], timezone="Asia/Kolkata")
    assert list_targets(preset, datetime(2026, 12, 24, 18, 30, tzinfo=UTC), 1) == [3] * 24


def test_saturday_to_seven_is_the_weekend() -> None:
    """Field case 26: weekdays 2, weekends 1. One line of the two used to make both unusable."""
    schedules = [make_schedule("* * * * 1-5", 2), make_schedule("* * * * 6-7", 1)]
    preset = make_preset(schedules=schedules, timezone="UTC", desired_instances=9)
    assert list_targets(preset, datetime(2026, 11, 23, tzinfo=UTC), 7) == [2] * 5 * 24 + [1] * 2 * 24


SPECIAL = date(2026, 7, 27)
HOLIDAYS = [date(2026, 12, day) for day in (24, 25, 26)]


@pytest.mark.parametrize("precedence", Precedence)
@pytest.mark.parametrize("is_last", [True, False])
@pytest.mark.parametrize(
    ("special", "holidays"),
    [
        ({"dates": [SPECIAL]}, {"dates": HOLIDAYS}),
        ({"starts_on": SPECIAL, "ends_on": SPECIAL}, {"starts_on": HOLIDAYS[0], "ends_on": HOLIDAYS[-1]}),
    ],
)
def test_a_special_day_comes_before_the_week_on_that_day_alone(
    special: dict[str, Any], holidays: dict[str, Any], is_last: bool, precedence: Precedence
) -> None:
    """Field case 30: 50 on 27 July, none from 24 to 26 December, wherever they stand; each other day is as before."""
    week = [make_schedule()]
    days = [make_schedule("* * * * *", 50, **special), make_schedule("* * * * *", 0, **holidays)]
    with_days = make_preset(
        desired_instances=2,
        timezone="Europe/Berlin",
        schedules=[*week, *days] if is_last else [*days, *week],
        precedence=precedence,
    )
    without = make_preset(desired_instances=2, timezone="Europe/Berlin", schedules=week)
    begin = datetime(2026, 6, 1, tzinfo=BERLIN)
    hours = [(begin.astimezone(UTC) + hour * HOUR).astimezone(BERLIN).date() for hour in range(24 * 220)]
    expected = [
        50 if day == SPECIAL else 0 if day in HOLIDAYS else target
        for day, target in zip(hours, list_targets(without, begin.astimezone(UTC), 220), strict=True)
    ]
    assert list_targets(with_days, begin.astimezone(UTC), 220) == expected


def test_the_last_of_two_that_overlap_wins_if_the_preset_says_so() -> None:
    """Field case 30: as runners read their lists of periods. Otherwise the preset falls back."""
    schedules = [make_schedule("* * * * *", 1), make_schedule("* 8-18 * * *", 5), make_schedule("30 12-13 * * *", 9)]
    preset = make_preset(schedules=schedules, timezone="UTC", desired_instances=2)
    assert calculate_target(preset, now=NOW).source is TargetSource.FALLBACK
    wins = make_preset(schedules=schedules, timezone="UTC", desired_instances=2, precedence="last_wins")
    assert check_schedules(schedules, "UTC", Precedence.LAST_WINS) == ()
    day = datetime(2026, 11, 23, tzinfo=UTC)
    assert list_targets(wins, day, 1) == [1] * 8 + [5] * 4 + [9] * 2 + [5] * 5 + [1] * 5
    made = plan(make_fleet(wins), now=NOW).decisions[0]
    assert made.next_change_at == datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


# The lead.


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "2026-03-29T01:30:00+01:00"),  # the clock jumps from 02:00 to 03:00
        (datetime(2026, 3, 29, 12, tzinfo=UTC), "2026-03-30T02:30:00+02:00"),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), "2026-10-25T02:30:00+01:00"),  # the second 02:30 of that night
    ],
)
def test_a_lead_is_elapsed_time(now: datetime, opens: str) -> None:
    """What takes an hour and a half to build is asked for so long before 04:00, whatever clocks do in between."""
    assert find_edges(make_timetable(make_schedule("* 4 * * *", lead=90 * MINUTE)), now, 1) == [opens]


def test_a_lead_begins_on_the_day_before_a_date() -> None:
    """What a date adds is ready when it begins; on an excepted day, what the next day needs is prepared too."""
    dated = make_timetable(make_schedule("* * * * *", dates=[CHRISTMAS], lead=2 * HOUR))
    assert find_edges(dated, NOW, 3) == ["2026-12-24T22:00:00+01:00", "2026-12-26T00:00:00+01:00"]
    excepted = make_timetable(make_schedule("* 0-5 * * *", except_on=[CHRISTMAS], lead=2 * HOUR))
    assert find_edges(excepted, datetime(2026, 12, 24, 2, tzinfo=UTC), 3) == [
        "2026-12-24T06:00:00+01:00",
        "2026-12-25T22:00:00+01:00",
        "2026-12-26T06:00:00+01:00",
    ]


@pytest.mark.parametrize(("instances", "targets"), [(50, [50] * 5), (4, [5, 4, 4, 4, 4]), (1, [5, 2, 2, 2, 1])])
def test_the_lead_of_a_schedule_for_dates_only_adds(instances: int, targets: list[int]) -> None:
    """Until its window opens, the larger count holds, so that no other day has less than without it."""
    week = make_schedule("* 8-18 * * *", 5)
    special = make_schedule("* * * * *", instances, dates=[CHRISTMAS], lead=6 * HOUR)
    preset = make_preset(desired_instances=2, timezone="UTC", schedules=[week, special])
    begin = datetime(2026, 12, 24, 18, tzinfo=UTC)
    assert [calculate_target(preset, now=begin + hour * HOUR).desired for hour in (0, 1, 2, 5, 6)] == targets
    edges = [begin + timedelta(hours=1), begin + timedelta(hours=6), begin + timedelta(hours=30)]
    expected = {50: edges[2], 4: edges[0], 1: edges[0]}[instances]
    assert plan(make_fleet(preset), now=begin).decisions[0].next_change_at == expected
    assert plan(make_fleet(preset), now=edges[0]).decisions[0].next_change_at == (
        edges[1] if instances == 1 else edges[2]
    )


def test_a_lead_as_long_as_a_gap_joins_what_it_parts() -> None:
    """An hour shorter it does not; where a clock is set back, the gap is an hour longer."""
    parts = [make_timetable(make_schedule("* 8-11,14-17 * * 1-5", lead=lead)) for lead in (HOUR, 2 * HOUR)]
    assert find_edges(parts[0], NOW, 2) == ["2026-11-23T12:00:00+01:00", "2026-11-23T13:00:00+01:00"]
    assert find_edges(parts[1], NOW, 2) == ["2026-11-23T18:00:00+01:00", "2026-11-24T06:00:00+01:00"]
    night = make_timetable(make_schedule("* 6-22 * * *", lead=7 * HOUR))
    assert find_edges(night, NOW, 2) == ["2027-10-30T23:00:00+02:00", "2027-10-31T00:00:00+02:00"]


def test_a_gap_is_as_long_as_it_takes() -> None:
    """A lead of two hours joins 01:00 and 04:00, but not in the night in which the hour in between happens twice."""
    timetable = make_timetable(make_schedule("* 1,4 * * *", lead=2 * HOUR))
    assert find_edges(timetable, datetime(2026, 10, 23, 12, tzinfo=UTC), 6) == [
        "2026-10-23T23:00:00+02:00",
        "2026-10-24T05:00:00+02:00",
        "2026-10-24T23:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T05:00:00+01:00",
    ]


def test_stretches_that_a_lead_joins_for_years_have_no_end() -> None:
    """They are followed for 1,500 dates. Where the dates of the schedule end later, a host has to look again."""
    minutes = make_schedule("*/2 * * * *", lead=5 * MINUTE)
    assert make_timetable(minutes).find_next_edge(NOW) is None
    assert find_edges(make_timetable(attrs.evolve(minutes, ends_on=date(2028, 5, 1))), NOW, 1) == [
        "2028-05-01T23:59:00+02:00"
    ]
    later = make_timetable(attrs.evolve(minutes, ends_on=date(2050, 5, 1)), zone="UTC")
    assert later.find_next_edge(NOW) == datetime(2026, 11, 23, tzinfo=UTC) + timedelta(days=1_500)
    excepted = make_timetable(make_schedule("* 8 * * *", lead=timedelta(days=1), except_on=[date(2028, 5, 1)]))
    assert find_edges(excepted, NOW, 2) == ["2028-04-30T09:00:00+02:00", "2028-05-01T08:00:00+02:00"]
    assert find_edges(excepted, datetime(2028, 5, 1, 12, tzinfo=UTC), 1) == []


def test_the_end_of_time_has_no_lead() -> None:
    """Close to the last date that a datetime can hold, nothing overflows."""
    timetable = make_timetable(make_schedule("* 13 * * *", lead=timedelta(days=6)), zone="UTC")
    late = datetime(9999, 12, 29, 23, tzinfo=UTC)
    assert timetable.get_opening(late) is None
    assert timetable.find_next_edge(late) is None
    assert timetable.find_next_edge(datetime(9999, 12, 20, tzinfo=UTC)) == datetime(9999, 12, 29, 14, tzinfo=UTC)


def test_a_decision_says_why_it_is_open() -> None:
    """The dates of a schedule, and that it is its lead which has begun."""
    schedules = [
        make_schedule(instances=4, except_on=[CHRISTMAS], lead=timedelta(hours=1)),
        make_schedule("* * * * *", 1, dates=[MONDAY + timedelta(days=1)]),
        make_schedule("* * * * *", 2, starts_on=MONDAY + timedelta(days=2), ends_on=MONDAY + timedelta(days=3)),
        make_schedule("* * * * *", 0, dates=[CHRISTMAS, CHRISTMAS - timedelta(days=1)]),
    ]
    preset = make_preset(schedules=schedules, timezone="UTC")

    def explain(now: datetime) -> str:
        (line,) = plan(make_fleet(preset), now=now).decisions[0].explain().splitlines()
        return line[line.index("(") : line.rindex(")") + 1]

    day = timedelta(days=1)
    assert [explain(NOW.replace(hour=7)), *(explain(NOW + number * day) for number in (0, 1, 2, 32, 33))] == [
        f"(window `{WEEK}`, 1 h ahead, UTC, until 18:59)",
        f"(window `{WEEK}`, UTC, until 18:59)",
        "(window `* * * * *` on 2026-11-24, UTC, until 23:59)",
        "(window `* * * * *` from 2026-11-25 to 2026-11-26, UTC, until 2026-11-26 23:59)",
        "(window `* * * * *` on 2 dates, UTC, until 23:59)",
        "(no window open until 2026-12-28 07:00, UTC)",
    ]


# Overlaps.


@pytest.mark.parametrize(
    ("schedules", "problems"),
    [
        (
            [make_schedule(starts_on=MONDAY), make_schedule("30 18-20 * * *")],
            [f"`{WEEK}` from 2026-11-23 and `30 18-20 * * *` overlap, first on Mon 1 Jan, 18:30-18:30"],
        ),
        (
            [make_schedule(ends_on=MONDAY), make_schedule(starts_on=MONDAY)],
            [f"`{WEEK}` to 2026-11-23 and `{WEEK}` from 2026-11-23 overlap, first on 2026-11-23, 08:00-08:59"],
        ),
        ([make_schedule(ends_on=MONDAY), make_schedule(starts_on=MONDAY + timedelta(days=1))], []),
        ([make_schedule(ends_on=CHRISTMAS), make_schedule(starts_on=CHRISTMAS, except_on=[CHRISTMAS])], []),
        (
            [make_schedule(except_on=[CHRISTMAS]), make_schedule("* 8 25 12 *")],
            ["overlap, first on Mon 25 Dec, 08:00-08:59"],
        ),
        (
            [make_schedule(dates=[CHRISTMAS, MONDAY]), make_schedule(starts_on=MONDAY, ends_on=CHRISTMAS)],
            [f"on 2 dates and `{WEEK}` from 2026-11-23 to 2026-12-25 overlap, first on 2026-11-23, 08:00-08:59"],
        ),
        ([make_schedule(dates=[CHRISTMAS]), make_schedule(dates=[MONDAY])], []),
        ([make_schedule("* 8-11 * * *"), make_schedule("* 13 * * *", lead=HOUR)], []),
        (
            [make_schedule("* 8-11 * * *"), make_schedule("* 13 * * *", lead=HOUR + MICROSECOND)],
            ["`* 8-11 * * *` and `* 13 * * *` overlap, as `* 13 * * *` opens 1 h 0.000001 s ahead"],
        ),
        (
            [make_schedule("* 8 * * *", lead=HOUR), make_schedule("* 9-23 * * *", lead=8 * HOUR + MICROSECOND)],
            [
                "`* 8 * * *` and `* 9-23 * * *` overlap, as `* 8 * * *` opens 1 h ahead and `* 9-23 * * *` opens "
                "8 h 0.000001 s ahead"
            ],
        ),
        ([make_schedule("* 23 31 12 *"), make_schedule("* 1 1 1 *", lead=HOUR)], []),
        ([make_schedule("* 23 31 12 *"), make_schedule("* 1 1 1 *", lead=2 * HOUR)], ["opens 2 h ahead"]),
        ([make_schedule("* * 28 2 *"), make_schedule("* 0 1 3 *", lead=HOUR)], ["opens 1 h ahead"]),
        ([make_schedule("* * 28 2 *"), make_schedule("* 0 1 mar *", lead=HOUR, dates=[date(2028, 3, 1)])], []),
        ([make_schedule("* 7 * * *", dates=[MONDAY]), make_schedule("* 7 * * *", dates=[CHRISTMAS], lead=HOUR)], []),
        (
            [
                make_schedule("* 7 * * *", starts_on=MONDAY, ends_on=CHRISTMAS),
                make_schedule("* 8 * * *", dates=[CHRISTMAS], lead=HOUR),
            ],
            ["overlap, as `* 8 * * *` on 2026-12-25 opens 1 h ahead"],
        ),
    ],
)
def test_overlaps_count_dates_exceptions_and_leads(schedules: list[Schedule], problems: list[str]) -> None:
    """Two for every week, or two for dates, may not be open at once; to the microsecond, on the calendar."""
    found = check(*schedules)
    assert len(found) == len(problems)
    assert all(text.endswith(problem) for text, problem in zip(found, problems, strict=True)), found
    assert len(check(*reversed(schedules))) == len(problems)


def test_a_date_that_is_excepted_for_ever_is_still_shared() -> None:
    """Few exceptions cannot keep apart what meets every few years for ever: the answer does not depend on them."""
    leap_days = [date(year, 2, 29) for year in range(1904, 2100, 4)]
    assert check(make_schedule("* 8 29 2 *", except_on=leap_days), make_schedule("* 8-9 * 2 *")) == [
        "schedules[0] and schedules[1]: `* 8 29 2 *` and `* 8-9 * 2 *` overlap, first on Sun 29 Feb, 08:00-08:59"
    ]


# The laws.


@st.composite
def timetables(draw: st.DrawFn) -> tuple[datetime, list[Schedule], Precedence, str]:
    """An instant, usable schedules around it, and a zone."""
    now = draw(AROUND_JUMPS | strategies.instants())
    zone = draw(st.sampled_from(strategies.ZONES))
    schedules = draw(st.lists(strategies.schedules(around=now.date()), min_size=1, max_size=3))
    precedence = draw(st.sampled_from(Precedence))
    assume(isinstance(compile_schedules(tuple(schedules), zone, precedence), Timetable))
    return now, schedules, precedence, zone


@given(timetables())
@settings(deadline=None)
def test_targets_and_edges_agree_with_walking_the_minutes(
    case: tuple[datetime, list[Schedule], Precedence, str],
) -> None:
    """Minutes, dates, exceptions, leads, precedence and jumps of the clock included: which counts, and until when."""
    now, schedules, precedence, zone = case
    timetable = compile_schedules(tuple(schedules), zone, precedence, 2)
    assert isinstance(timetable, Timetable)
    walked = Walk(schedules, precedence, timetable.zone, now, days=2, base=2)
    opening, edge = timetable.get_opening(now), timetable.find_next_edge(now)
    assert (None if opening is None else opening.index) == walked.choose(now)
    assert (edge if edge is not None and edge < walked.end else None) == walked.find_next_edge()
    assert edge is None or timetable.get_opening(edge) != opening


@st.composite
def schedules_for_dates(draw: st.DrawFn, around: date) -> Schedule:
    schedule = draw(strategies.schedules(around=around).filter(is_usable))
    days = sorted(around + timedelta(days=draw(st.integers(-2, 4))) for _ in range(2))
    limits: dict[str, Any] = draw(
        st.sampled_from(({"dates": days}, {"dates": (), "starts_on": days[0], "ends_on": days[1]}))
    )
    return attrs.evolve(schedule, **{"starts_on": None, "ends_on": None, **limits})


@given(st.dates(date(2000, 1, 1), date(2050, 1, 1)), st.data())
@settings(deadline=None)
def test_overlaps_of_dates_agree_with_walking_the_minutes(around: date, data: st.DataObject) -> None:
    """Two schedules for dates overlap if and only if a minute of one, with its lead, meets one of the other."""
    pair = [data.draw(schedules_for_dates(around)) for _ in range(2)]
    begin = datetime(around.year, around.month, around.day, tzinfo=UTC) - timedelta(days=3)
    first, second = (list(walk(schedule, UTC, begin, begin + timedelta(days=9))) for schedule in pair)
    assert bool(check(*pair)) is meet(first, second)


def meet(first: Sequence[tuple[datetime, datetime]], second: Sequence[tuple[datetime, datetime]]) -> bool:
    """Whether two lists of stretches, each in the order of its ends, have any time in common."""
    place = 0
    for begin, end in first:
        while place < len(second) and second[place][1] <= begin:
            place += 1
        if place < len(second) and second[place][0] < end:
            return True
    return False


def is_usable(schedule: Schedule) -> bool:
    try:
        parse_window(schedule.cron)
    except InvalidCronError:
        return False
    return True


YEARS = [date(1985, 1, 1) + timedelta(days=number) for number in range(83 * 365)]


def walk_hours(schedule: Schedule) -> int:
    """The hours of 83 years in which a schedule of whole hours is open, its lead included: a bit for each."""
    window, day = parse_window(schedule.cron), sum(1 << hour for hour in parse_window(schedule.cron).hours)
    rows = (day if window.has_date(each) and has_date(schedule, each) else 0 for each in YEARS)
    hours = int.from_bytes(b"".join(row.to_bytes(3, "little") for row in rows), "little")
    for _ in range(schedule.lead // HOUR):
        hours |= hours >> 1
    return hours


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_overlaps_of_every_week_agree_with_walking_the_hours(data: st.DataObject) -> None:
    """For rare dates too, such as leap days on a Monday: 83 years have them all."""
    leads = st.sampled_from((timedelta(), HOUR, 5 * HOUR, timedelta(days=2, hours=3)))
    pair = [to_whole_hours(data.draw(strategies.schedules().filter(is_usable)), data.draw(leads)) for _ in range(2)]
    assume(is_for_dates(pair[0]) is is_for_dates(pair[1]))
    assert bool(check(*pair)) is bool(walk_hours(pair[0]) & walk_hours(pair[1]))


def to_whole_hours(schedule: Schedule, lead: timedelta) -> Schedule:
    """The schedule without its minutes and exceptions, and with this lead."""
    return attrs.evolve(schedule, cron=" ".join(("*", *schedule.cron.split()[1:])), except_on=(), lead=lead)


@pytest.mark.parametrize(
    ("cron", "fields", "expected"),
    [
        ("* 8 * * *", {}, True),
        ("* 8 30 2 *", {}, False),
        ("* 8 30 2 *", {"dates": [date(2026, 3, 1)]}, False),
        ("* 8 * * mon", {"dates": [date(2026, 11, 23)]}, True),
        ("* 8 * * sat,sun", {"dates": [date(2026, 11, 23)]}, False),
        ("* 8 * * mon", {"starts_on": date(2026, 11, 24), "ends_on": date(2026, 11, 29)}, False),
        ("* 8 * * mon", {"starts_on": date(2026, 11, 24), "ends_on": date(2026, 11, 30)}, True),
        ("* 8 * * mon", {"starts_on": date(2026, 11, 24)}, True),
    ],
)
def test_a_window_that_has_none_of_its_dates_is_never_open(cron: str, fields: dict[str, Any], expected: bool) -> None:
    """The 23rd of November 2026 is a Monday."""
    schedule = Schedule(cron=cron, instances=1, **fields)
    assert make_opening(schedule, parse_window(cron), 0).is_ever_open is expected
