"""The chart of a timeline: what a pool wanted and had, and below it the claims, with misses in red.

A chart has room for a few hundred steps. A longer timeline is cut into bins of equal length. Each bin shows its worst
moment: the one with the fewest prebuilds that a user could claim.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from prebuilds.decision.wording import describe_duration
from prebuilds.whatif.simulation.event_log import EventLog
from prebuilds.whatif.simulation.timelines.counts_over_time import Moment
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR, TICKS_PER_SECOND, to_instant, to_ticks
from prebuilds.whatif.views.charts import load_altair, make_data, show_offline

if TYPE_CHECKING:
    import altair as alt

_MOST_BINS = 240
_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
_WIDTH = 760
_TICKS = 5
_COUNTS = {"target": "#54585d", "running": "#4c78a8", "starting": "#f58518"}
_CLAIMS = {"hit": "#b5bcc4", "miss": "#d62728"}


def choose_bin(begin: int, end: int) -> int:
    """The length of a bin in microseconds: a round number of minutes or days that gives at most 240 bins."""
    least = max(end - begin, 1) / _MOST_BINS
    for minutes in _MINUTES:
        if minutes * 60 * TICKS_PER_SECOND >= least:
            return minutes * 60 * TICKS_PER_SECOND
    day = _MINUTES[-1] * 60 * TICKS_PER_SECOND
    return int(-(-least // day)) * day


def chart_timelines(pools: Sequence[tuple[EventLog, Sequence[Moment]]]) -> alt.VConcatChart:
    """Two charts for each pool, one below the other, over the same time."""
    altair = load_altair()
    charts = [part for log, moments in pools for part in _chart_pool(log, moments)]
    whole: alt.VConcatChart = altair.vconcat(*charts).resolve_scale(color="independent", strokeDash="independent")
    return show_offline(whole)


def _chart_pool(log: EventLog, moments: Sequence[Moment]) -> list[Any]:
    length = choose_bin(log.begin, log.end)
    every = describe_duration(timedelta(microseconds=length))
    is_binned = len(moments) > 2 * _MOST_BINS
    how = f"each step is the worst moment of {every}: the one with the fewest ready" if is_binned else ""
    shown = pick_worst(moments, length, log.begin) if is_binned else moments
    rows = list(_iterate_counts(shown, to_instant(log.end)))
    claims = list(count_claims(log, length))
    load = load_altair()
    upper = load.layer(
        _chart_counts(rows, log), _mark_misses([row for row in claims if row["claim"] == "miss"], log)
    ).properties(width=_WIDTH, height=200, title=load.Title(log.preset_id, subtitle=how))
    return [upper, _chart_claims(claims, log, every)] if claims else [upper]


def pick_worst(moments: Sequence[Moment], length: int, begin: int) -> list[Moment]:
    """The moment of each bin with the fewest eligible prebuilds, moved to the start of the bin.

    The counts that a bin begins with belong to it too. In a bin where nothing changes, they are all that it has.
    """
    bins: dict[int, list[Moment]] = {}
    for moment in moments:
        bins.setdefault((to_ticks(moment.at) - begin) // length, []).append(moment)
    picked: list[Moment] = []
    carried: list[Moment] = []
    for place, own in bins.items():
        worst = min(carried + own, key=lambda moment: moment.eligible)
        picked.append(attrs.evolve(worst, at=to_instant(begin + place * length)))
        carried = own[-1:]
        if place + 1 not in bins:
            picked.append(attrs.evolve(own[-1], at=to_instant(begin + (place + 1) * length)))
    return picked


def count_claims(log: EventLog, length: int) -> Iterator[dict[str, Any]]:
    """The hits and misses of each bin, with the misses stacked on the hits."""
    missed = [log.claims[place] for place in log.missed]
    for begin in range(log.begin, log.end + 1, length):
        end = begin + length
        claims = bisect_left(log.claims, end) - bisect_left(log.claims, begin)
        misses = bisect_left(missed, end) - bisect_left(missed, begin)
        span = {"from": to_instant(begin), "to": to_instant(min(end, log.end))}
        if claims > misses:
            yield {**span, "claim": "hit", "count": claims - misses, "low": 0, "high": claims - misses}
        if misses:
            yield {**span, "claim": "miss", "count": misses, "low": claims - misses, "high": claims}


def _iterate_counts(moments: Sequence[Moment], end: datetime) -> Iterator[dict[str, Any]]:
    for moment in moments:
        for what in _COUNTS:
            yield {"at": moment.at, "prebuilds": what, "count": getattr(moment, what)}
    for what in _COUNTS if moments else ():
        yield {"at": end, "prebuilds": what, "count": getattr(moments[-1], what)}


def _chart_counts(rows: Sequence[dict[str, Any]], log: EventLog) -> Any:
    altair = load_altair()
    most = max(row["count"] for row in rows)
    dashes = altair.Scale(domain=list(_COUNTS), range=[[5, 3], [1, 0], [1, 0]])
    return (
        altair.Chart(make_data(rows))
        .mark_line(interpolate="step-after", strokeWidth=1.5, clip=True)
        .encode(
            x=_encode_time("at", log),
            y=_encode_count("count", "prebuilds", most),
            color=_encode_colour("prebuilds", _COUNTS),
            strokeDash=altair.StrokeDash("prebuilds:N", scale=dashes, legend=altair.Legend(title="prebuilds")),
            tooltip=[altair.Tooltip("at:T", format="%Y-%m-%d %H:%M:%S"), "prebuilds:N", "count:Q"],
        )
    )


def _mark_misses(rows: Sequence[dict[str, Any]], log: EventLog) -> Any:
    """A mark below each bin with a miss. Among many hits, a miss would be hard to see."""
    altair = load_altair()
    return (
        altair.Chart(make_data(rows))
        .mark_point(shape="triangle-up", size=45, filled=True, opacity=1, color=_CLAIMS["miss"])
        .encode(
            x=_encode_time("from", log),
            y=altair.YDatum(0),
            tooltip=[altair.Tooltip("from:T", format="%Y-%m-%d %H:%M"), "claim:N", "count:Q"],
        )
    )


def _chart_claims(rows: Sequence[dict[str, Any]], log: EventLog, every: str) -> Any:
    altair = load_altair()
    return (
        altair.Chart(make_data(rows), width=_WIDTH, height=90)
        .mark_rect()
        .encode(
            x=_encode_time("from", log),
            x2="to:T",
            y=_encode_count("low", f"claims per {every}", max(row["high"] for row in rows)),
            y2="high:Q",
            color=_encode_colour("claim", _CLAIMS),
            tooltip=[altair.Tooltip("from:T", format="%Y-%m-%d %H:%M"), "claim:N", "count:Q"],
        )
    )


def _encode_count(name: str, title: str, most: int) -> Any:
    """An axis of whole numbers from 0 to the largest count."""
    altair, last = load_altair(), max(most, 1)
    axis = altair.Axis(tickCount=min(last, _TICKS), format="d")
    return altair.Y(f"{name}:Q", title=title, axis=axis, scale=altair.Scale(domain=[0, last]))


def _encode_time(name: str, log: EventLog) -> Any:
    altair = load_altair()
    hours = (log.end - log.begin) / TICKS_PER_HOUR
    labels = "%H:%M" if hours <= 36 else "%a %d %b" if hours <= 15 * 24 else "%d %b"
    domain = [to_instant(log.begin).isoformat(), to_instant(log.end).isoformat()]
    return altair.X(
        f"{name}:T",
        scale=altair.Scale(type="utc", domain=domain),
        title="time (UTC)",
        axis=altair.Axis(format=labels, tickCount="day" if 36 < hours <= 15 * 24 else 10, labelOverlap=True),
    )


def _encode_colour(name: str, colours: dict[str, str]) -> Any:
    altair = load_altair()
    scale = altair.Scale(domain=list(colours), range=list(colours.values()))
    return altair.Color(f"{name}:N", scale=scale, legend=altair.Legend(title=name))
