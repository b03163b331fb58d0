"""Traces: the instants at which users claimed, in order, and the span of time in which they were watched.

- An instant is a *tick*: whole microseconds since 1970 in UTC.
- A trace always has a span. By default it is from the first claim to the last.
- One error lists everything that cannot be read, with its place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from operator import le
from typing import Any

import attrs

from prebuilds.decision.documents.rfc3339 import format_instant
from prebuilds.decision.fields import MAX_DURATION, NOW, check, require_instant, to_tuple, to_utc
from prebuilds.errors import InvalidTraceError, InvalidValueError
from prebuilds.whatif.traces.claim_reader import ClaimReader
from prebuilds.whatif.traces.csv_files import TraceSource, open_csv, read_rows
from prebuilds.whatif.traces.ticks import FIRST_TICK, LAST_TICK, to_instant, to_ticks


def _are_ticks(ticks: Any) -> bool:
    if type(ticks) is not tuple or not set(map(type, ticks)) <= {int}:
        return False
    is_ordered = all(map(le, ticks, islice(ticks, 1, None)))
    return is_ordered and (not ticks or FIRST_TICK <= ticks[0] <= ticks[-1] <= LAST_TICK)


_TICKS_ALLOWED = f"whole microseconds since 1970, in order, from {FIRST_TICK} to {LAST_TICK}"


@attrs.frozen(kw_only=True, repr=False)
class Trace:
    """Claims in order, and the span in which they were watched: `begin <= claim <= end`.

    `ticks` are the claims in microseconds since 1970. Make one with `from_claims`, `from_csv` or a generator. The
    length of a trace is its number of claims; iterating gives them as datetimes in UTC.
    """

    ticks: tuple[int, ...] = attrs.field(converter=to_tuple, validator=check(_TICKS_ALLOWED, _are_ticks))
    begin: datetime = attrs.field(converter=to_utc, validator=NOW)
    end: datetime = attrs.field(converter=to_utc, validator=NOW)

    def __attrs_post_init__(self) -> None:
        first = to_instant(self.ticks[0]) if self.ticks else self.end
        last = to_instant(self.ticks[-1]) if self.ticks else self.begin
        if first < self.begin:
            raise InvalidValueError("Trace", "begin", self.begin, f"at most the first claim, {format_instant(first)}")
        if last > self.end:
            allowed = f"at least the last claim and the start, {format_instant(last)}"
            raise InvalidValueError("Trace", "end", self.end, allowed)
        if self.span > MAX_DURATION:
            allowed = f"at most {MAX_DURATION.days} days after the start, {format_instant(self.begin)}"
            raise InvalidValueError("Trace", "end", self.end, allowed)

    @classmethod
    def from_claims(
        cls,
        claims: Iterable[Any],
        *,
        timezone: str | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
    ) -> Trace:
        """Make a trace from an iterable of datetimes or texts, in any order, such as a series of pandas or polars.

        A text is an instant as RFC 3339 or PostgreSQL write it. A claim without an offset from UTC is a time on the
        wall clock of `timezone`. The span is from `begin` to `end`, by default from the first claim to the last. Raises
        `InvalidTraceError` for claims that cannot be read. It says what is wrong, with how many and where.
        """
        if not isinstance(claims, Iterable):
            raise InvalidValueError("Trace.from_claims", "claims", claims, "an iterable of datetimes or texts")
        rows = ((f"claims[{index}]", claim) for index, claim in enumerate(claims))
        return cls._from_rows(rows, ClaimReader("Trace.from_claims", timezone), begin=begin, end=end)

    @classmethod
    def from_csv(
        cls,
        source: TraceSource,
        *,
        column: str = "claimed_at",
        timezone: str | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
    ) -> Trace:
        """Read a trace from one column of a CSV file: a path or an open file. A path that ends in `.gz` is unpacked.

        The first line names the columns. A cell is a text as for `from_claims`. Empty lines are skipped. All claims are
        those of one pool; for a file with several presets, use `read_traces`. Raises `InvalidTraceError` for claims
        that cannot be read, and `OSError` for a file that cannot.
        """
        reader = ClaimReader("Trace.from_csv", timezone)
        with open_csv(source) as stream:
            rows = ((place, cells[0]) for place, cells in read_rows(stream, column))
            return cls._from_rows(rows, reader, begin=begin, end=end)

    @classmethod
    def _from_rows(
        cls, rows: Iterable[tuple[str, Any]], reader: ClaimReader, *, begin: datetime | None, end: datetime | None
    ) -> Trace:
        ticks = sorted(tick for place, claim in rows if (tick := reader.read(place, claim)) is not None)
        problems = reader.problems
        if not problems and not ticks and (begin is None or end is None):
            problems = ["no claims; a trace without claims needs `begin` and `end`"]
        if problems:
            raise InvalidTraceError(problems)
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
        """The part of the trace from `begin` to just before `end`. Both must be within its span."""
        begin, end = self._require_within("begin", begin), self._require_within("end", end)
        if begin > end:
            raise InvalidValueError("Trace.between", "end", end, f"at least the start, {format_instant(begin)}")
        return Trace(ticks=self.ticks[self._find(begin) : self._find(end)], begin=begin, end=end)

    def split_at(self, instant: datetime) -> tuple[Trace, Trace]:
        """The part of the trace before `instant`, and the part from it on."""
        cut = self._require_within("instant", instant)
        index = self._find(cut)
        before = Trace(ticks=self.ticks[:index], begin=self.begin, end=cut)
        return before, Trace(ticks=self.ticks[index:], begin=cut, end=self.end)

    def thin(self, every: int) -> Trace:
        """The first claim and every `every`-th after it, over the same span: `thin(20)` keeps 1 in 20."""
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
