"""The chart of a timeline: what a pool wanted and had, and below it the claims, the misses in red.

A chart has room for a few hundred steps. A longer timeline is cut into bins of one length, and each bin shows its worst
moment: the one with the fewest prebuilds that a user could have.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from prebuilds.decision.explaining import describe_duration
from prebuilds.whatif.moments import Moment
from prebuilds.whatif.records import PoolRecord
from prebuilds.whatif.traces import TICKS_PER_SECOND, to_instant, to_ticks
from prebuilds.whatif.views import load_altair, make_data

if TYPE_CHECKING:
    import altair as alt

_MOST_BINS = 240
_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
_WIDTH = 760
_COUNTS = {"target": "#54585d", "running": "#4c78a8", "starting": "#f58518"}
_CLAIMS = {"hit": "#b5bcc4", "miss": "#d62728"}


def choose_bin(begin: int, end: int) -> int:
    """The length of a bin in microseconds: a round number of minutes, or of days, so that there are not too many."""
    least = max(end - begin, 1) / _MOST_BINS
    for minutes in _MINUTES:
        if minutes * 60 * TICKS_PER_SECOND >= least:
            return minutes * 60 * TICKS_PER_SECOND
    day = _MINUTES[-1] * 60 * TICKS_PER_SECOND
    return int(-(-least // day)) * day


def chart_timelines(pools: Sequence[tuple[PoolRecord, Sequence[Moment]]]) -> alt.VConcatChart:
    """One pair of charts for each pool, one below the other, over one axis of time."""
    altair = load_altair()
    charts = [part for record, moments in pools for part in _chart_pool(record, moments)]
    whole: alt.VConcatChart = altair.vconcat(*charts).resolve_scale(color="independent", x="shared")
    return whole


def _chart_pool(record: PoolRecord, moments: Sequence[Moment]) -> tuple[Any, Any]:
    length = choose_bin(record.begin, record.end)
    domain = [to_instant(record.begin).isoformat(), to_instant(record.end).isoformat()]
    every = describe_duration(timedelta(microseconds=length))
    is_binned = len(moments) > 2 * _MOST_BINS
    how = f"each step is the worst moment of {every}: the one with the fewest ready" if is_binned else ""
    shown = pick_worst(moments, length, record.begin) if is_binned else moments
    return (
        _chart_counts(record, list(_iterate_counts(shown, to_instant(record.end))), domain, how),
        _chart_claims(list(count_claims(record, length)), domain, every),
    )


def pick_worst(moments: Sequence[Moment], length: int, begin: int) -> list[Moment]:
    """Of each bin that has any, the moment with the fewest eligible prebuilds, the first of equals."""
    worst: dict[int, Moment] = {}
    for moment in moments:
        place = (to_ticks(moment.at) - begin) // length
        if place not in worst or moment.eligible < worst[place].eligible:
            worst[place] = moment
    return list(worst.values())


def count_claims(record: PoolRecord, length: int) -> Iterator[dict[str, Any]]:
    """How many claims of each bin were hits and how many misses."""
    missed = [record.claims[place] for place in record.missed]
    for begin in range(record.begin, record.end + 1, length):
        end = begin + length
        claims = bisect_left(record.claims, end) - bisect_left(record.claims, begin)
        misses = bisect_left(missed, end) - bisect_left(missed, begin)
        for what, count in (("hit", claims - misses), ("miss", misses)):
            if count:
                yield {"from": to_instant(begin), "to": to_instant(min(end, record.end)), "claim": what, "count": count}


def _iterate_counts(moments: Sequence[Moment], end: datetime) -> Iterator[dict[str, Any]]:
    for moment in moments:
        for what in _COUNTS:
            yield {"at": moment.at, "prebuilds": what, "count": getattr(moment, what)}
    for what in _COUNTS if moments else ():
        yield {"at": end, "prebuilds": what, "count": getattr(moments[-1], what)}


def _chart_counts(record: PoolRecord, rows: Sequence[dict[str, Any]], domain: list[str], how: str) -> Any:
    altair = load_altair()
    scale = altair.Scale(type="utc", domain=domain)
    return (
        altair.Chart(make_data(rows), width=_WIDTH, height=200, title=altair.Title(record.preset_id, subtitle=how))
        .mark_line(interpolate="step-after", strokeWidth=1.5)
        .encode(
            x=altair.X("at:T", scale=scale, title=None, axis=altair.Axis(labels=False, ticks=False)),
            y=altair.Y("count:Q", title="prebuilds", axis=altair.Axis(tickMinStep=1)),
            color=_encode_colour("prebuilds", _COUNTS),
            strokeDash=altair.StrokeDash(
                "prebuilds:N",
                scale=altair.Scale(domain=list(_COUNTS), range=[[5, 3], [1, 0], [1, 0]]),
                legend=None,
            ),
            tooltip=[altair.Tooltip("at:T", format="%Y-%m-%d %H:%M:%S"), "prebuilds:N", "count:Q"],
        )
    )


def _chart_claims(rows: Sequence[dict[str, Any]], domain: list[str], every: str) -> Any:
    altair = load_altair()
    scale = altair.Scale(type="utc", domain=domain)
    return (
        altair.Chart(make_data(rows), width=_WIDTH, height=90)
        .mark_rect()
        .encode(
            x=altair.X("from:T", scale=scale, title="time (UTC)", axis=altair.Axis(labelOverlap=True)),
            x2="to:T",
            y=altair.Y("count:Q", stack="zero", title=f"claims per {every}", axis=altair.Axis(tickMinStep=1)),
            color=_encode_colour("claim", _CLAIMS),
            order=altair.Order("claim:N", sort="descending"),
            tooltip=[altair.Tooltip("from:T", format="%Y-%m-%d %H:%M"), "claim:N", "count:Q"],
        )
    )


def _encode_colour(name: str, colours: dict[str, str]) -> Any:
    altair = load_altair()
    scale = altair.Scale(domain=list(colours), range=list(colours.values()))
    return altair.Color(f"{name}:N", scale=scale, legend=altair.Legend(title=name))
