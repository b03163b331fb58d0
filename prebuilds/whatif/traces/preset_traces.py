"""Reads a file with the claims of several presets, and gives a trace for each."""

from __future__ import annotations

from datetime import datetime

from prebuilds.errors import InvalidTraceError
from prebuilds.whatif.traces.claim_reader import ClaimReader
from prebuilds.whatif.traces.csv_files import TraceSource, open_csv, read_rows
from prebuilds.whatif.traces.ticks import to_instant
from prebuilds.whatif.traces.trace import Trace


def read_traces(
    source: TraceSource,
    *,
    column: str = "claimed_at",
    by: str = "preset_id",
    timezone: str | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
) -> dict[str, Trace]:
    """The traces of several presets in one CSV file, sorted by preset id. The column `by` has the preset of each claim.

    All traces have the same span: from `begin` to `end`, by default from the first claim in the file to the last.
    Everything else is as for `Trace.from_csv`.
    """
    reader, groups = ClaimReader("read_traces", timezone), dict[str, list[int]]()
    with open_csv(source) as stream:
        for place, (claim, name) in read_rows(stream, column, by):
            if not name:
                reader.reject(place, by, "is missing")
            elif (tick := reader.read(place, claim)) is not None:
                groups.setdefault(name, []).append(tick)
    if reader.problems or not groups:
        raise InvalidTraceError(reader.problems or ["no claims"])
    first = to_instant(min(map(min, groups.values()))) if begin is None else begin
    last = to_instant(max(map(max, groups.values()))) if end is None else end
    return {name: Trace(ticks=sorted(ticks), begin=first, end=last) for name, ticks in sorted(groups.items())}
