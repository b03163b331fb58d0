"""Traces, generators and lead times: what they read, what they refuse, and what they keep."""

from __future__ import annotations

import gzip
import io
import pickle
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from statistics import fmean

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prebuilds.errors import InvalidTraceError, InvalidValueError
from prebuilds.testing import strategies
from prebuilds.whatif import (
    ExponentialLeadTime,
    FixedLeadTime,
    LeadTime,
    LognormalLeadTime,
    MeasuredLeadTime,
    Trace,
    generate_bursts,
    generate_poisson,
    generate_profile,
    read_traces,
)

BEGIN = datetime(2026, 3, 2, tzinfo=timezone.utc)  # a Monday
END = BEGIN + timedelta(days=28)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
CSV = "name,claimed_at\na,2026-03-02T01:00:00Z\nb,2026-03-02T00:30:00.5+00:00\n\nc,2026-03-02T03:00:00+02:00\n"
CLAIMS = [BEGIN + timedelta(minutes=30, milliseconds=500), BEGIN + HOUR, BEGIN + HOUR]


@pytest.mark.parametrize("kind", ["path", "gzip", "text", "bytes", "bom"])
def test_a_column_of_a_csv_file_is_read(kind: str, tmp_path: Path) -> None:
    """A trace is read from a path, compressed or not, or an open file. It is in order, however the rows are."""
    path = tmp_path / ("claims.csv.gz" if kind == "gzip" else "claims.csv")
    content = (b"\xef\xbb\xbf" if kind == "bom" else b"") + CSV.encode()
    path.write_bytes(gzip.compress(content) if kind == "gzip" else content)
    sources = {"text": io.StringIO(CSV), "bytes": io.BytesIO(content)}
    assert list(Trace.from_csv(sources.get(kind, path))) == CLAIMS


def test_an_open_file_is_left_open() -> None:
    """It is its owner's to close."""
    stream = io.BytesIO(CSV.encode())
    Trace.from_csv(stream)
    assert not stream.closed


def test_bad_rows_are_reported_by_what_is_wrong() -> None:
    """However many there are, in one line for one kind: the first of them, how many more, and a few."""
    rows = ["claimed_at", *["x"] * 1_500, "2026-03-02T01:00:00", "y"]
    with pytest.raises(InvalidTraceError) as caught:
        Trace.from_csv(io.StringIO("\n".join(rows)))
    wrong = "is not an RFC 3339 instant such as 2026-01-31T09:30:00Z"
    missing = (
        "has no time zone; name it with `timezone` (`--timezone`), or write an instant such as 2026-01-31T09:30:00Z"
    )
    assert caught.value.problems == (
        f"line 2: 'x' {wrong}; 1,500 more rows like this: line 3: 'x', line 4: 'x', line 5: 'x', ...",
        f"line 1502: '2026-03-02T01:00:00' {missing}",
    )
    assert str(caught.value) == "\n".join(caught.value.problems)
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems  # noqa: S301


def test_a_trace_of_several_presets_reports_its_bad_rows_too() -> None:
    """Those without a name among them, in the order of the first of each kind."""
    rows = ["claimed_at,preset_id", "noon,web", "2026-03-02T01:00:00Z,", "never,docs", "2026-03-02T01:00:00Z,web"]
    with pytest.raises(InvalidTraceError) as caught:
        read_traces(io.StringIO("\n".join(rows)))
    wrong = "is not an RFC 3339 instant such as 2026-01-31T09:30:00Z"
    assert caught.value.problems == (
        f"line 2: 'noon' {wrong}; 1 more row like this: line 4: 'never'",
        "line 3: preset_id is missing",
    )


@pytest.mark.parametrize(
    ("written", "zone", "read"),
    [
        ("2026-11-26 22:02:36.346652+00", None, "2026-11-26T22:02:36.346652+00:00"),
        ("2026-11-26 22:02:36+01:00", None, "2026-11-26T21:02:36+00:00"),
        ("2026-11-26 22:02:36+0530", None, "2026-11-26T16:32:36+00:00"),
        ("2026-11-26 22:02:36-03", None, "2026-11-27T01:02:36+00:00"),
        ("2026-11-26 22:02:36.346652", "Europe/Berlin", "2026-11-26T21:02:36.346652+00:00"),
        ("2026-07-26T22:02:36", "Europe/Berlin", "2026-07-26T20:02:36+00:00"),
        ("2026-11-26 22:02:36+00", "Europe/Berlin", "2026-11-26T22:02:36+00:00"),
        ("2026-10-25 03:00:00", "Europe/Berlin", "2026-10-25T02:00:00+00:00"),
        (datetime(2026, 11, 26, 22, 2, 36), "Europe/Berlin", "2026-11-26T21:02:36+00:00"),  # noqa: DTZ001
        (pd.Timestamp("2026-11-26 22:02:36"), "Europe/Berlin", "2026-11-26T21:02:36+00:00"),
    ],
)
def test_instants_are_read_as_databases_write_them(written: object, zone: str | None, read: str) -> None:
    """Field case 32: with an offset of their own, or by the wall clock of the zone that is named."""
    expected = [datetime.fromisoformat(read)]
    assert list(Trace.from_claims([written], timezone=zone)) == expected
    rows = f"preset_id,claimed_at\nweb,{written}\n"
    assert list(Trace.from_csv(io.StringIO(rows), timezone=zone)) == expected
    assert list(read_traces(io.StringIO(rows), timezone=zone)["web"]) == expected


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (
            "2026-10-25 02:30:00",
            "comes twice in Europe/Berlin, because the clock is put back; add its offset, +0200 or +0100",
        ),
        ("2026-03-29 02:30:00", "does not exist in Europe/Berlin: the clock is put forward over it"),
        ("2026-11-26", "is not an RFC 3339 instant such as 2026-01-31T09:30:00Z"),
        ("2026-02-30 00:00:00", "is not a date and time of the years 1 to 9999 of UTC"),
        ("0001-01-01 00:30:00+01", "is not a date and time of the years 1 to 9999 of UTC"),
        ("9999-12-31T23:00:00Z", "is not from 0001-01-02 to 9999-12-30"),
        ("0001-01-01 00:30:00", "is not a date and time of the years 1 to 9999 of UTC"),
    ],
)
def test_an_ambiguous_time_is_not_guessed_at(written: str, problem: str) -> None:
    """Field case 32: the hour that comes twice in autumn needs an offset, which the line says."""
    with pytest.raises(InvalidTraceError) as caught:
        Trace.from_claims([written], timezone="Europe/Berlin")
    assert caught.value.problems == (f"claims[0]: {written!r} {problem}",)
    offset = written.replace("02:30:00", "02:30:00+0200")
    assert "2026-10-25" not in written or len(Trace.from_claims([offset], timezone="Europe/Berlin")) == 1


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(InvalidValueError, match=r"read_traces\.timezone: 'Mars' is not allowed"):
        read_traces(io.StringIO("claimed_at,preset_id\n"), timezone="Mars")


def test_text_that_is_not_csv_is_an_error() -> None:
    """No such column, or twice; nothing in it; not text at all."""
    for text, problem in (
        ("a,b\n1,2\n", "line 1: no column is named 'claimed_at'; the columns are ['a', 'b']"),
        ("", "line 1: no column is named 'claimed_at'; the columns are []"),
        ("claimed_at\n", "no claims; a trace without claims needs `begin` and `end`"),
    ):
        with pytest.raises(InvalidTraceError) as caught:
            Trace.from_csv(io.StringIO(text))
        assert caught.value.problems == (problem,)
    with pytest.raises(InvalidValueError, match=r"Trace\.source: 5 is not allowed; it must be a path"):
        Trace.from_csv(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidTraceError, match="not CSV in UTF-8"):
        Trace.from_csv(io.BytesIO(b"claimed_at\n\xff\xfe\n"))


def test_any_iterable_of_instants_is_accepted() -> None:
    """Datetimes of any zone, texts, a series of pandas; what has no zone or is no instant is named."""
    assert list(Trace.from_claims(iter(["2026-03-02T01:00:00Z", BEGIN]))) == [BEGIN, BEGIN + HOUR]
    series = pd.Series(pd.to_datetime(["2026-03-02T01:00:00Z", None]))
    assert list(Trace.from_claims(series.dropna())) == [BEGIN + HOUR]
    with pytest.raises(InvalidTraceError) as caught:
        Trace.from_claims([*series, BEGIN.replace(tzinfo=None), 5])
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["claims[1]", "claims[2]"]
    neither = "is neither a datetime nor an RFC 3339 text"
    assert caught.value.problems[0] == f"claims[1]: NaT {neither}; 1 more row like this: claims[3]: 5"


class Series:
    """As a series of polars does, it gives its values when it is iterated, and no more is asked of it."""

    def __iter__(self) -> object:
        return iter([BEGIN, BEGIN + HOUR])


def test_nothing_but_iteration_is_asked_of_a_series() -> None:
    """So that no library for data frames is needed."""
    assert len(Trace.from_claims(Series())) == 2  # type: ignore[arg-type]


@given(
    st.lists(strategies.instants(min_value=BEGIN, max_value=END)), strategies.instants(min_value=BEGIN, max_value=END)
)
def test_a_trace_is_the_sum_of_its_parts(claims: list[datetime], cut: datetime) -> None:
    """Splitting loses no claim and no time; what is before the cut is before it."""
    trace = Trace.from_claims(claims, begin=BEGIN, end=END)
    before, after = trace.split_at(cut)
    assert before.ticks + after.ticks == trace.ticks
    assert (before.begin, before.end, after.begin, after.end) == (BEGIN, cut, cut, END)
    assert all(claim < cut for claim in before)
    assert trace.between(BEGIN, cut) == before
    assert list(trace) == sorted(claims)


def test_thinning_keeps_the_span_and_one_claim_in_n() -> None:
    """The first of them included."""
    trace = generate_poisson(10, begin=BEGIN, end=END, seed=1)
    assert trace.thin(20) == Trace(ticks=trace.ticks[::20], begin=BEGIN, end=END)
    with pytest.raises(InvalidValueError, match=r"Trace\.thin\.every: 0"):
        trace.thin(0)


def test_what_lies_outside_the_span_is_refused() -> None:
    """An instant to cut at, and a claim."""
    trace = Trace.from_claims(CLAIMS)
    with pytest.raises(InvalidValueError, match="the span of the trace"):
        trace.split_at(END)
    with pytest.raises(InvalidValueError, match="at most the first claim"):
        Trace.from_claims(CLAIMS, begin=BEGIN + HOUR)
    with pytest.raises(InvalidValueError, match="in order"):
        Trace(ticks=[2, 1], begin=BEGIN, end=END)


def test_generators_are_repeatable_and_have_their_rates() -> None:
    """The same seed, the same trace; the rates within a few standard errors."""
    profile = [0.0] * 8 + [30.0] * 10 + [5.0] * 6
    made = generate_profile(profile, begin=BEGIN, end=END, seed=1, timezone="Asia/Tokyo")
    assert made == generate_profile(profile, begin=BEGIN, end=END, seed=1, timezone="Asia/Tokyo")
    hours = Counter((claim + 9 * HOUR).hour for claim in made)
    assert set(hours) == set(range(8, 24))
    assert fmean(hours[hour] / 28 for hour in range(8, 18)) == pytest.approx(30, rel=0.05)
    assert len(generate_poisson(100, begin=BEGIN, end=END, seed=2)) == pytest.approx(67_200, rel=0.02)
    bursts = generate_bursts(2, size=5, within=3 * MINUTE, begin=BEGIN, end=END, seed=3)
    assert len(bursts) == pytest.approx(2 * 5 * 672, rel=0.1)
    assert len(generate_poisson(0, begin=BEGIN, end=END, seed=1)) == 0


def test_generators_refuse_what_makes_no_sense() -> None:
    """Each names its argument."""
    span = {"begin": BEGIN, "end": END}
    with pytest.raises(InvalidValueError, match=r"generate_poisson\.per_hour: -1"):
        generate_poisson(-1, **span, seed=1)
    with pytest.raises(InvalidValueError, match=r"generate_profile\.per_hour: .*24 numbers for a day, or 168"):
        generate_profile([1.0], **span, seed=1)
    with pytest.raises(InvalidValueError, match=r"generate_bursts\.size: 0"):
        generate_bursts(1, size=0, within=MINUTE, **span, seed=1)
    with pytest.raises(InvalidValueError, match=r"generate_poisson\.end"):
        generate_poisson(1, begin=END, end=BEGIN, seed=1)


@pytest.mark.parametrize(
    "lead_time",
    [
        FixedLeadTime(duration=5 * MINUTE),
        ExponentialLeadTime(mean=5 * MINUTE),
        LognormalLeadTime(median=4 * MINUTE, p95=9 * MINUTE),
        MeasuredLeadTime(samples=[MINUTE, 2 * MINUTE, 9 * MINUTE]),
    ],
    ids=lambda lead_time: type(lead_time).__name__,
)
def test_draws_have_the_mean_and_the_quantiles(lead_time: LeadTime) -> None:
    """Over 20,000 draws, which a seed repeats."""
    random = Random(1)
    draws = sorted(lead_time.draw(random) for _ in range(20_000))
    assert fmean(draw / MINUTE for draw in draws) == pytest.approx(lead_time.mean / MINUTE, rel=0.03)
    assert draws[10_000] / MINUTE == pytest.approx(lead_time.quantile(0.5) / MINUTE, rel=0.03)
    assert draws[19_000] / MINUTE == pytest.approx(lead_time.quantile(0.95) / MINUTE, rel=0.05)
    assert lead_time.draw(Random(5)) == lead_time.draw(Random(5))
    with pytest.raises(InvalidValueError, match="above 0 and below 1"):
        lead_time.quantile(1.0)


def test_wrong_lead_times_are_refused() -> None:
    """Nothing negative, no empty samples, and no median above the 95 in 100."""
    with pytest.raises(InvalidValueError, match=r"LognormalLeadTime\.p95"):
        LognormalLeadTime(median=5 * MINUTE, p95=4 * MINUTE)
    with pytest.raises(InvalidValueError, match=r"MeasuredLeadTime\.samples"):
        MeasuredLeadTime(samples=[])
    with pytest.raises(InvalidValueError, match=r"FixedLeadTime\.duration"):
        FixedLeadTime(duration=-MINUTE)
