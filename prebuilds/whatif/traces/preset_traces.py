"""Reads a file with the claims of several presets, or the counts of a store, and gives a trace for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from prebuilds.errors import InvalidTraceError
from prebuilds.whatif.traces.claim_reader import ClaimReader
from prebuilds.whatif.traces.csv_files import TraceSource, open_csv, read_rows
from prebuilds.whatif.traces.stored_claims import MINUTE, ClaimStore, read_stored_claims
from prebuilds.whatif.traces.ticks import to_instant, to_ticks
from prebuilds.whatif.traces.trace import Trace


def read_traces(
    source: TraceSource | ClaimStore,
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

    `source` may also be a store of this library, which counts claims by the minute. They are spread over their minutes,
    and the span is from the first of these to the end of the last. Raises `InvalidTraceError` if there are none.
    """
    if isinstance(source, ClaimStore):
        return _read_store(source, begin, end)
    reader, groups = ClaimReader("read_traces", timezone), dict[str, list[int]]()
    with open_csv(source) as stream:
        for place, (claim, name) in read_rows(stream, column, by):
            if not name:
                reader.reject(place, by, "is missing")
            elif (tick := reader.read(place, claim)) is not None:
                groups.setdefault(name, []).append(tick)
    if reader.problems or not groups:
        raise InvalidTraceError(reader.problems or ["no claims"])
    first, last = _find_span(groups)
    return _make_traces(groups, first if begin is None else begin, last if end is None else end)


def _read_store(store: ClaimStore, begin: datetime | None, end: datetime | None) -> dict[str, Trace]:
    groups = read_stored_claims(store)
    if not groups:
        raise InvalidTraceError(["no claims"])
    first, last = (to_ticks(at) for at in _find_span(groups))
    whole = to_instant(first // MINUTE * MINUTE), to_instant((last // MINUTE + 1) * MINUTE)
    return _make_traces(groups, begin or whole[0], end or whole[1])


def _find_span(groups: Mapping[str, Sequence[int]]) -> tuple[datetime, datetime]:
    return to_instant(min(map(min, groups.values()))), to_instant(max(map(max, groups.values())))


def _make_traces(groups: Mapping[str, Sequence[int]], first: datetime, last: datetime) -> dict[str, Trace]:
    return {name: Trace(ticks=sorted(ticks), begin=first, end=last) for name, ticks in sorted(groups.items())}
