"""Groups: the claims of several presets in one file, as a trace for each."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime

from prebuilds.errors import InvalidTraceError
from prebuilds.whatif.traces import Trace, TraceSource, open_csv, read_claims, read_rows, to_instant


def read_traces(
    source: TraceSource,
    *,
    column: str = "claimed_at",
    by: str = "preset_id",
    begin: datetime | None = None,
    end: datetime | None = None,
) -> dict[str, Trace]:
    """The traces in a CSV file that says in a column of its own whose each claim is, in the order of their names.

    All are watched over one span: from `begin` to `end`, by default from the first claim of all to the last. Else it is
    as `Trace.from_csv`.
    """
    rows: dict[str, list[tuple[str, str]]] = {}
    with open_csv(source) as stream:
        for place, (claim, name) in read_rows(stream, column, by):
            rows.setdefault(name, []).append((place, claim))
    read = {name: read_claims(own) for name, own in sorted(rows.items())}
    problems = [*_find_nameless(rows, by), *(problem for _, own in read.values() for problem in own)]
    if problems or not read:
        raise InvalidTraceError(problems or ["no claims"])
    first = to_instant(min(min(ticks) for ticks, _ in read.values())) if begin is None else begin
    last = to_instant(max(max(ticks) for ticks, _ in read.values())) if end is None else end
    return {name: Trace(ticks=sorted(ticks), begin=first, end=last) for name, (ticks, _) in read.items()}


def _find_nameless(rows: dict[str, list[tuple[str, str]]], by: str) -> Iterator[str]:
    for place, _ in rows.get("", ()):
        yield f"{place}: {by} is missing"


def list_columns(source: TraceSource) -> tuple[str, ...]:
    """The names of the columns of a CSV file, which its first line has."""
    with open_csv(source) as stream:
        return tuple(next(csv.reader(stream), []))
