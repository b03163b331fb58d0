"""Windows: which expressions can be read, when a window is open, and when two of them overlap (R4, R5)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prebuilds import InvalidCronError, Schedule, SharedHour, Window, find_shared_hour, is_overlapping, parse_window
from prebuilds.testing import strategies

ALL_HOURS = frozenset(range(24))


def test_fields_are_read() -> None:
    """Lists, ranges, steps and names in any case; `9/4` runs to the range's end, and spaces may be any."""
    assert parse_window(" *  8-10,9/4\t1,15 jan-MAR,12 Mon-fri ") == Window(
        expression="* 8-10,9/4 1,15 jan-MAR,12 Mon-fri",
        hours=frozenset({8, 9, 10, 13, 17, 21}),
        days=frozenset({1, 15}),
        months=frozenset({1, 2, 3, 12}),
        weekdays=frozenset({1, 2, 3, 4, 5}),
        needs_both_days=False,
    )


def test_parsed_expressions_are_cached() -> None:
    """The same expression is read once."""
    assert parse_window("* 1 2 3 *") is parse_window("* 1 2 3 *")


@pytest.mark.parametrize(
    ("field", "is_star"), [("*", True), ("?", True), ("*/1", True), ("3,*", True), ("*,3", True), ("*/2", False)]
)
def test_a_step_makes_a_star_a_restriction(field: str, is_star: bool) -> None:
    """`*/2` in a day field restricts it, so that either day field is enough; `*`, `?` and `*/1` do not."""
    assert parse_window(f"* * {field} * 1").needs_both_days is is_star
    assert parse_window(f"* * 1 * {field}").needs_both_days is is_star


MANY = [
    ("* 9-18 * *", ["needs 5 fields, has 4"]),
    ("", ["needs 5 fields, has 0"]),
    ("0 * 9-18 * * *", ["needs 5 fields, has 6: leave out the seconds"]),
    ("0 * 9-18 * * * 2026", ["needs 5 fields, has 7: leave out the seconds and the year"]),
    ("* * * * * * * *", ["needs 5 fields, has 8"]),
    ("* 24 * * *", ["hour field: `24` is not from 0 to 23: midnight is 0"]),
    ("* 25 * * *", ["hour field: `25` is not from 0 to 23"]),
    ("* 9/0 * * *", ["hour field: `9/0` has the step 0; it must be 1 or more"]),
    ("* a * * *", ["hour field: `a` is not a number of at most 4 digits"]),
    ("* -1 * * *", ["hour field: a value is missing"]),
    ("* 1- * * *", ["hour field: a value is missing"]),
    ("* 1/ * * *", ["hour field: a value is missing"]),
    ("* 1,,2 * * *", ["hour field: a value is missing"]),
    ("* 1-2-3 * * *", ["hour field: `2-3` is not a number of at most 4 digits"]),
    ("* *-5 * * *", ["hour field: `*` is not a number of at most 4 digits"]),
    ("* 1/2/3 * * *", ["hour field: `2/3` is not a number of at most 4 digits"]),
    ("* 12345 * * *", ["hour field: `12345` is not a number of at most 4 digits"]),
    (
        "* \N{ARABIC-INDIC DIGIT ONE} * * *",
        ["hour field: `\N{ARABIC-INDIC DIGIT ONE}` is not a number of at most 4 digits"],
    ),
    ("* * 0 0 *", ["day-of-month field: `0` is not from 1 to 31", "month field: `0` is not from 1 to 12"]),
    ("* * 32 13 *", ["day-of-month field: `32` is not from 1 to 31", "month field: `13` is not from 1 to 12"]),
    ("* * * * 8", ["day-of-week field: `8` is not from 0 to 7"]),
    ("60 * * * *", ["minute field: `60` is not from 0 to 59"]),
    ("-1,5/0 24 * * *", ["minute field: a value is missing", "hour field: `24` is not from 0 to 23: midnight is 0"]),
    (
        "* * * mon x",
        [
            "month field: `mon` is not a number of at most 4 digits, nor one of "
            "jan, feb, mar, apr, may, jun, jul, aug, sep, oct, nov, dec",
            "day-of-week field: `x` is not a number of at most 4 digits, nor one of sun, mon, tue, wed, thu, fri, sat",
        ],
    ),
]


@pytest.mark.parametrize(("expression", "problems"), MANY)
def test_all_bad_fields_are_reported_at_once(expression: str, problems: list[str]) -> None:
    """The error has a text for each bad field, and the expression."""
    with pytest.raises(InvalidCronError) as raised:
        parse_window(expression)
    assert raised.value.expression == expression
    assert list(raised.value.problems) == problems
    assert str(raised.value) == f"`{expression}`: {'; '.join(problems)}"


CIRCLES = (("minutes", 0, 59), ("hours", 0, 23), ("days", 1, 31), ("months", 1, 12), ("weekdays", 0, 6))


@given(st.integers(0, 4), st.integers(0, 59), st.integers(0, 59), st.none() | st.integers(1, 70))
def test_a_range_goes_along_its_circle_by_its_step(field: int, first: int, last: int, step: int | None) -> None:
    """Backwards, it goes over the end of the field, and the step counts on along it."""
    name, low, high = CIRCLES[field]
    circle = range(low, high + 1)
    begin, end = circle[first % len(circle)], circle[last % len(circle)]
    fields = ["*", "*", "*", "*", "*"]
    fields[field] = f"{begin}-{end}" if step is None else f"{begin}-{end}/{step}"
    walked = range(begin, end + 1) if begin <= end else [*range(begin, high + 1), *range(low, end + 1)]
    assert getattr(parse_window(" ".join(fields)), name) == frozenset(walked[:: step or 1])


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("7", "0"),
        ("5-7", "0,5,6"),
        ("sat-7", "0,6"),
        ("1-7/2", "0,1,3,5"),
        ("0-7", "0-6"),
        ("7-2", "0,1,2"),
        ("7-2/2", "0,2"),
        ("7-6", "0-6"),
        ("7-0", "0"),
        ("7-7", "0"),
        ("7/2", "0,2,4,6"),
        ("5/2", "5"),
        ("fri-mon", "0,1,5,6"),
        ("tue-0/2", "2,4,6"),
        ("mon-sun", "0-6"),
        ("0,7", "0"),
    ],
)
def test_sunday_is_seven_too(field: str, days: str) -> None:
    """At either end of a range, under a step and alone. A step without an end still ends on Saturday, the sixth."""
    assert parse_window(f"* * * * {field}").weekdays == parse_window(f"* * * * {days}").weekdays


def test_minutes_are_a_stretch_of_the_hour() -> None:
    """Several, if they do not meet: those that run over the hour are open at its end and at its begin."""
    window = parse_window("45-14,30 8-9 * * *")
    assert window.minutes == frozenset([*range(45, 60), *range(15), 30])
    assert window.turns == (480, 495, 510, 511, 525, 555, 570, 571, 585, 600)
    assert parse_window("* 22-6 * * *").turns == (0, 7 * 60, 22 * 60, 24 * 60)
    assert parse_window("*/1 * * * *").turns == (0, 24 * 60)


@given(strategies.crons())
def test_the_turns_of_a_day_agree_with_its_minutes(cron: str) -> None:
    """A window is open from each first, third, ... turn until the one that follows, and at no other minute."""
    window = parse_window(cron)
    is_open = [minute // 60 in window.hours and minute % 60 in window.minutes for minute in range(24 * 60)]
    edges = [at for at, (before, after) in enumerate(pairwise([False, *is_open, False])) if before is not after]
    assert list(window.turns) == edges
    for minute in (0, 59, 60, 719, 24 * 60 - 1):
        assert window.find_turn(minute) == (is_open[minute], next((at for at in edges if at > minute), 24 * 60))


@given(st.text(max_size=30) | st.from_regex(r"\A[-*/,0-9a-z? ]{0,30}\Z"))
def test_any_text_is_read_or_refused(expression: str) -> None:
    """No text makes the parser fail in another way."""
    try:
        parse_window(expression)
    except InvalidCronError as error:
        assert error.problems


@pytest.mark.parametrize(
    ("expression", "inside", "outside"),
    [
        ("* 8-18 * * 1-5", "2026-11-23 18:59:59", "2026-11-23 19:00:00"),
        ("* * 1,15 * *", "2026-11-15 00:00:00", "2026-11-16 00:00:00"),
        ("* * * 12 *", "2026-12-31 23:59:59", "2026-11-30 23:59:59"),
        ("* * * * 0", "2026-11-22 12:00:00", "2026-11-23 12:00:00"),
        ("* * 13 * 5", "2026-11-13 12:00:00", "2026-11-14 12:00:00"),  # both match, neither does
        ("* * 24 * 1", "2026-11-23 12:00:00", "2026-11-25 12:00:00"),  # only the weekday matches, neither does
        ("* * */2 * mon", "2026-11-23 12:00:00", "2026-11-24 12:00:00"),
        ("30 8 * * *", "2026-11-23 08:30:59.999999", "2026-11-23 08:31:00"),
        ("45-14 8-9 * * *", "2026-11-23 09:14:59", "2026-11-23 10:00:00"),
        ("* 22-6 * * *", "2026-11-23 06:59:59", "2026-11-23 07:00:00"),
        ("* * 28-3 nov-feb *", "2026-12-03 23:59:59", "2026-12-04 00:00:00"),
        ("* * * * 5-7", "2026-11-22 12:00:00", "2026-11-23 12:00:00"),
    ],
)
def test_a_window_is_open_when_minute_hour_month_and_day_match(expression: str, inside: str, outside: str) -> None:
    """The second never matters; either day field is enough if both are restricted."""
    window = parse_window(expression)
    assert window.contains(datetime.fromisoformat(inside))
    assert not window.contains(datetime.fromisoformat(outside))


def test_windows_that_never_or_always_hold_are_known() -> None:
    """No February has 30 days; a window without restrictions never closes."""
    assert not parse_window("* * 30 feb *").is_ever_open
    assert parse_window("* * 29 2 *").is_ever_open
    assert parse_window("* 0-23 1-31 1-12 *").is_always_open
    assert parse_window("* * */1 * 0-6").is_always_open
    assert not parse_window("* * 1-30 * *").is_always_open
    assert not parse_window("* 1-23 * * *").is_always_open
    assert not parse_window("0-58 * * * *").is_always_open
    assert not parse_window("* * * 1-11 *").is_always_open


def test_the_first_shared_hour_is_reported() -> None:
    """The original compares field by field and sees no overlap in `* * 1-15 * 1` and `* * * * 2-5`."""
    shared = find_shared_hour(parse_window("* * 1-15 * 1"), parse_window("* * * * 2-5"))
    assert shared == SharedHour(month=1, day=1, weekday=2, hour=0)
    assert str(shared) == "Tue 1 Jan, 00:00-00:59"
    part = find_shared_hour(parse_window("30-59 8 * * *"), parse_window("0-44,50 * * * *"))
    assert part == SharedHour(month=1, day=1, weekday=0, hour=8, minutes=(30, 44))
    assert str(part) == "Sun 1 Jan, 08:30-08:44"
    again = find_shared_hour(parse_window("* * 1 * 1"), parse_window("* * 2 * 1"))
    assert again == SharedHour(month=1, day=1, weekday=1, hour=0)


@pytest.mark.parametrize(
    ("a", "b", "overlap"),
    [
        ("* 8-18 * * 1-5", "* 8-18 * * 0,6", False),
        ("* 8-18 * * *", "* 18-20 * * *", True),
        ("0-29 8 * * *", "30-59 8 * * *", False),
        ("45-14 8 * * *", "14-15 8 * * *", True),
        ("* 22-6 * * *", "* 6 * * *", True),
        ("* * * * 5-7", "* * * * 0", True),
        ("* * * nov-feb *", "* * * mar-oct *", False),
        ("* * 29-31 2 *", "* * 30 * *", False),
        ("* * 29 2 *", "* * * * 3", True),
        ("* * 30 feb *", "* * * * *", False),
        ("* * 31 4,6 *", "* * * * *", False),
        ("* * 31 4,5 *", "* * * * *", True),
        ("* * 31 1,4 *", "* * 31 4,6 *", False),
        ("* * 1 * 1", "* * 2 * 1", True),
    ],
)
def test_overlap_is_judged_on_dates_that_exist(a: str, b: str, overlap: bool) -> None:
    """Leap days count, days that no month has do not."""
    assert is_overlapping(parse_window(a), parse_window(b)) is overlap


CALENDAR = [date(2000, 1, 1) + timedelta(days=day) for day in range(28 * 366)]
DATES = sorted({(day.month, day.day, day.isoweekday() % 7) for day in CALENDAR})


@given(strategies.crons(), strategies.crons())
def test_overlap_agrees_with_walking_the_calendar(first: str, second: str) -> None:
    """Two windows overlap if and only if both are open at once in 28 years; the first such hour is reported."""
    a, b = parse_window(first), parse_window(second)
    shared = sorted(a.minutes & b.minutes)
    stretch = [minute for place, minute in enumerate(shared) if minute == shared[0] + place]
    walked = (
        SharedHour(month=month, day=day, weekday=weekday, hour=hour, minutes=(stretch[0], stretch[-1]))
        for (month, day, weekday), hour in product(DATES, sorted(a.hours & b.hours) if shared else ())
        if all(month in window.months and weekday in window.weekdays_on(day) for window in (a, b))
    )
    assert find_shared_hour(a, b) == next(walked, None)


@given(strategies.crons(), strategies.crons())
def test_overlap_is_symmetric(first: str, second: str) -> None:
    """It does not matter which window comes first."""
    a, b = parse_window(first), parse_window(second)
    assert is_overlapping(a, b) is is_overlapping(b, a)


@given(strategies.crons())
def test_whether_a_window_is_ever_or_always_open_agrees_with_the_calendar(cron: str) -> None:
    """It is ever open when some date is one of its own, always when all dates and hours are."""
    window = parse_window(cron)
    own = [month in window.months and weekday in window.weekdays_on(day) for month, day, weekday in DATES]
    assert window.is_ever_open is any(own)
    assert window.is_always_open is (all(own) and window.hours == ALL_HOURS and len(window.minutes) == 60)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=40))
def test_a_schedule_takes_any_expression(cron: str) -> None:
    """A bad expression is reported when it is used, so that it never stops another preset."""
    assert Schedule(cron=cron, instances=1).cron == cron
