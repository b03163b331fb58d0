"""Traces: the instants at which users claimed, in order, and the span of time in which they were watched.

- An instant is held as a *tick*, whole microseconds since 1970 in UTC: exact, and quick to compare and to sum.
- A trace is never empty of time: where no span is given it reaches from the first claim to the last.
- Rows that cannot be read are all told at once, each by its place.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from operator import le
from os import PathLike, fspath
from typing import IO, Any, Union, cast

import attrs

from prebuilds.decision.fields import NOW, UTC, check, require_instant, to_tuple, to_utc
from prebuilds.decision.rfc3339 import EXAMPLE, format_instant, parse_instant
from prebuilds.errors import InvalidTraceError, InvalidValueError, show

TraceSource = Union[str, "PathLike[str]", IO[str], IO[bytes]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
TICKS_PER_SECOND = 1_000_000
TICKS_PER_HOUR = 3_600 * TICKS_PER_SECOND


def to_ticks(instant: datetime) -> int:
    """An aware instant as whole microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def to_instant(ticks: int) -> datetime:
    """The instant that ticks stand for, in UTC."""
    return _EPOCH + timedelta(microseconds=ticks)


def count_ticks(duration: timedelta) -> int:
    """A duration in whole microseconds."""
    return duration // _MICROSECOND


def _is_ordered(ticks: Any) -> bool:
    return type(ticks) is tuple and set(map(type, ticks)) <= {int} and all(map(le, ticks, islice(ticks, 1, None)))


@attrs.frozen(kw_only=True, repr=False)
class Trace:
    """Claims in order, and the span in which they were watched: `begin <= claim <= end`.

    `ticks` are the claims in microseconds since 1970. Make one with `from_claims`, `from_csv` or a generator. The
    length of a trace is its number of claims; iterating gives them as datetimes in UTC.
    """

    ticks: tuple[int, ...] = attrs.field(
        converter=to_tuple, validator=check("whole microseconds since 1970, in order", _is_ordered)
    )
    begin: datetime = attrs.field(converter=to_utc, validator=NOW)
    end: datetime = attrs.field(converter=to_utc, validator=NOW)

    def __attrs_post_init__(self) -> None:
        first = to_instant(self.ticks[0]) if self.ticks else self.end
        last = to_instant(self.ticks[-1]) if self.ticks else self.begin
        if first < self.begin:
            raise InvalidValueError("Trace", "begin", self.begin, f"at most the first claim, {format_instant(first)}")
        if last > self.end:
            allowed = f"at least the last claim and the begin, {format_instant(last)}"
            raise InvalidValueError("Trace", "end", self.end, allowed)

    @classmethod
    def from_claims(cls, claims: Iterable[Any], *, begin: datetime | None = None, end: datetime | None = None) -> Trace:
        """The trace of these claims: aware datetimes or RFC 3339 texts, in any order, of any iterable.

        A series of pandas or polars is one. The span is from `begin` to `end`, by default from the first claim to the
        last. Raises `InvalidTraceError` with every claim that cannot be read and its place.
        """
        rows = ((f"claims[{index}]", claim) for index, claim in enumerate(claims))
        return cls._from_rows(rows, begin=begin, end=end)

    @classmethod
    def from_csv(
        cls,
        source: TraceSource,
        *,
        column: str = "claimed_at",
        begin: datetime | None = None,
        end: datetime | None = None,
    ) -> Trace:
        """The trace in one column of a CSV file: a path, compressed if it ends in `.gz`, or an open file.

        The first line names the columns; a claim is an RFC 3339 text. Empty lines are passed over. Raises
        `InvalidTraceError` with every bad row and its line, and `OSError` for a path that cannot be read.
        """
        with open_csv(source) as stream:
            rows = ((place, cells[0]) for place, cells in read_rows(stream, column))
            return cls._from_rows(rows, begin=begin, end=end)

    @classmethod
    def _from_rows(cls, rows: Iterable[tuple[str, Any]], *, begin: datetime | None, end: datetime | None) -> Trace:
        ticks, problems = read_claims(rows)
        if not problems and not ticks and (begin is None or end is None):
            problems = ["no claims; a trace without any needs its begin and its end"]
        if problems:
            raise InvalidTraceError(problems)
        ticks.sort()
        first = to_instant(ticks[0]) if begin is None else begin
        return cls(ticks=ticks, begin=first, end=to_instant(ticks[-1]) if end is None else end)

    def __len__(self) -> int:
        return len(self.ticks)

    def __iter__(self) -> Iterator[datetime]:
        return map(to_instant, self.ticks)

    def __getitem__(self, index: int) -> datetime:
        return to_instant(self.ticks[index])

    def __repr__(self) -> str:
        begin, end = format_instant(self.begin), format_instant(self.end)
        return f"<Trace of {len(self):,} claims from {begin} to {end}>"

    @property
    def span(self) -> timedelta:
        """How long the claims were watched."""
        return self.end - self.begin

    def between(self, begin: datetime, end: datetime) -> Trace:
        """The claims from `begin` on and before `end`, watched for as long; both within the trace's span."""
        begin, end = self._require_within("begin", begin), self._require_within("end", end)
        if begin > end:
            raise InvalidValueError("Trace.between", "end", end, f"at least the begin, {format_instant(begin)}")
        return Trace(ticks=self.ticks[self._find(begin) : self._find(end)], begin=begin, end=end)

    def split_at(self, instant: datetime) -> tuple[Trace, Trace]:
        """The trace before `instant` and the trace from it on."""
        cut = self._require_within("instant", instant)
        index = self._find(cut)
        before = Trace(ticks=self.ticks[:index], begin=self.begin, end=cut)
        return before, Trace(ticks=self.ticks[index:], begin=cut, end=self.end)

    def thin(self, every: int) -> Trace:
        """Every so many-th claim, the first one included, over the same span: `thin(20)` keeps 1 in 20."""
        if type(every) is not int or every < 1:
            raise InvalidValueError("Trace.thin", "every", every, "a whole number of 1 or more")
        return attrs.evolve(self, ticks=self.ticks[::every])

    def _find(self, instant: datetime) -> int:
        return bisect_left(self.ticks, to_ticks(instant))

    def _require_within(self, name: str, value: datetime) -> datetime:
        instant = require_instant("Trace", name, value)
        if not self.begin <= instant <= self.end:
            allowed = f"from {format_instant(self.begin)} to {format_instant(self.end)}, the span of the trace"
            raise InvalidValueError("Trace", name, value, allowed)
        return instant


def read_claims(rows: Iterable[tuple[str, Any]]) -> tuple[list[int], list[str]]:
    """The claims of rows, each with its place, as ticks, and a line for each that cannot be read."""
    ticks: list[int] = []
    problems: list[str] = []
    for place, claim in rows:
        try:
            ticks.append(_read_claim(claim))
        except ValueError as error:
            problems.append(f"{place}: {show(claim)} {error}")
    return ticks, problems


def _read_claim(claim: Any) -> int:
    if isinstance(claim, str):
        return to_ticks(parse_instant(claim))
    # pandas has a value for no time at all that is a datetime, and like NaN not itself.
    if not isinstance(claim, datetime) or claim != claim:  # noqa: PLR0124
        raise ValueError("is neither a datetime nor an RFC 3339 text")
    if claim.utcoffset() is None:
        raise ValueError(f"has no time zone; give an aware datetime, or a text such as {EXAMPLE}")
    return to_ticks(claim)


def read_rows(stream: IO[str], *columns: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The cells of these columns, row by row, each row with its place; a cell that is not there is empty."""
    reader = csv.reader(stream)
    header = next(reader, [])
    for column in columns:
        if header.count(column) != 1:
            found = f"{header.count(column)} columns are {show(column)}"
            raise InvalidTraceError([f"line 1: {found}; the columns are {header}"])
    indexes = [header.index(column) for column in columns]
    filling = [""] * (max(indexes, default=0) + 1)
    for row in reader:
        if row:
            cells = row if len(row) >= len(filling) else row + filling
            yield f"line {reader.line_num}", tuple([cells[index] for index in indexes])


@contextmanager
def open_csv(source: TraceSource) -> Iterator[IO[str]]:
    """The source as text to read CSV from. Raises `InvalidTraceError` for what is none."""
    with _open(source) as stream:
        try:
            yield stream
        except (UnicodeDecodeError, EOFError, zlib.error, csv.Error) as error:
            raise InvalidTraceError([f"not CSV in UTF-8: {error}"]) from error


@contextmanager
def _open(source: TraceSource) -> Iterator[IO[str]]:
    """The source as text; an open file is left open, as it is its owner's to close."""
    if isinstance(source, (str, PathLike)):
        opener: Callable[..., IO[str]] = gzip.open if fspath(source).endswith(".gz") else open
        with opener(source, "rt", encoding="utf-8-sig", newline="") as stream:
            yield stream
    elif isinstance(source.read(0), str):
        yield cast("IO[str]", source)
    else:
        wrapper = io.TextIOWrapper(cast("IO[bytes]", source), encoding="utf-8-sig", newline="")
        try:
            yield wrapper
        finally:
            wrapper.detach()
