"""Hypothesis strategies for schedules: expressions, dates, leads, and the sets of schedules of a preset.

- Expressions use the whole dialect. Dates and exceptions crowd around one date, so that they often matter.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from prebuilds.decision.schedules.schedule import Schedule
from prebuilds.testing.strategies.values import counts, sampled

LEADS = (timedelta(), timedelta(), timedelta(minutes=45), timedelta(hours=2), timedelta(days=1, seconds=1))
_MONDAY = date(2026, 11, 23)


@cache
def crons() -> st.SearchStrategy[str]:
    """Cron expressions that are valid windows: half of them open and close on the hour."""
    minutes = st.one_of(st.just("*"), st.sampled_from(("0-29", "30-59", "45-14", "*/20", "30")), _fields(0, 59, ()))
    fields = (
        _fields(0, 23, ()),
        _fields(1, 31, ()),
        _fields(1, 12, ("jan", "JUL")),
        _fields(0, 7, ("mon", "Sat")),
    )
    return st.tuples(minutes, *fields).map(" ".join)


@st.composite
def schedules(draw: st.DrawFn, *, around: date = _MONDAY) -> Schedule:
    """Schedules; one in several cannot be used. Some are for dates around this one, have exceptions or a lead."""
    near = around + timedelta(days=draw(st.integers(-1, 3)))
    far = near + timedelta(days=draw(st.integers(0, 3)))
    kinds: dict[str, dict[str, Any]] = {
        "week": {},
        "dates": {"dates": (near, far)},
        "begin": {"starts_on": near},
        "end": {"ends_on": near},
        "period": {"starts_on": near, "ends_on": far},
    }
    kind = draw(sampled("week", "week", "dates", "begin", "end", "period"))
    return Schedule(
        cron=draw(_schedule_crons()),
        instances=draw(counts()),
        except_on=draw(sampled((), (), (around,))),
        lead=draw(sampled(*LEADS)),
        **kinds[kind],
    )


@st.composite
def schedule_sets(draw: st.DrawFn, *, around: date = _MONDAY) -> tuple[Schedule, ...]:
    """The schedules of a preset: often none; otherwise a day cut into bands, or any schedules, which may overlap.

    Bands may have an exception for a date around this one: a schedule for dates, which comes first.
    """
    kind = draw(sampled("none", "bands", "bands", "any"))
    if kind == "none":
        return ()
    if kind == "any":
        return tuple(draw(st.lists(schedules(around=around), max_size=3)))
    special = [Schedule(cron="* * * * *", instances=draw(counts()), dates=[around])] * draw(st.booleans())
    return (*draw(_bands()), *special)


@st.composite
def _bands(draw: st.DrawFn) -> tuple[Schedule, ...]:
    cuts = [*sorted(draw(_sets_of_hours())), 24]
    days = draw(sampled("*", "1-5", "mon,sat"))
    bands = (f"* {begin}-{end - 1} * * {days}" for begin, end in pairwise(cuts))
    return tuple(Schedule(cron=band, instances=draw(counts())) for band in bands)


def _fields(low: int, high: int, names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """One cron field: most often `*`, otherwise terms of every kind."""
    values = st.integers(low, high)
    ranges = st.tuples(values, values).map(lambda pair: f"{pair[0]}-{pair[1]}")
    plain = st.one_of(st.just("*"), values.map(str), ranges, *(st.just(name) for name in names))
    terms = st.one_of(plain, st.tuples(plain, st.integers(1, 5)).map(lambda pair: f"{pair[0]}/{pair[1]}"))
    return st.one_of(st.just("*"), st.just("?"), st.lists(terms, min_size=1, max_size=3).map(",".join))


@cache
def _schedule_crons() -> st.SearchStrategy[str]:
    common = st.sampled_from(("* 8-18 * * 1-5", "* 9 * * *", "* 0-11 * * *", "30 12-23 * * *", "* 22-3 * * 7"))
    unusable = st.sampled_from(("0 9 * *", "* 25 * * *", "nonsense"))
    return st.one_of(common, common, crons(), unusable)


@cache
def _sets_of_hours() -> st.SearchStrategy[set[int]]:
    return st.sets(st.integers(1, 23), min_size=1, max_size=3)
