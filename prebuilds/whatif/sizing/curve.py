"""Curves: hits, idle hours and waits of each pool size, and the choice of a size.

A curve has its points in the order of their sizes, each size once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import attrs

from prebuilds.decision.fields import DURATION, MAX_COUNT, check, instance_of, member_of, to_tuple, tuple_of
from prebuilds.errors import InsufficientHistoryError, InvalidValueError, UnreachableGoalError
from prebuilds.whatif.sizing.pool_size import PoolSize
from prebuilds.whatif.traces.argument_checks import require_amount, require_share
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.views.charts import load_altair, make_data, show_offline
from prebuilds.whatif.views.rows import Tabular, describe_value

_HOUR = timedelta(hours=1)


def _is_in_order(points: Any) -> bool:
    sizes = [point.size for point in points]
    return len(sizes) > 0 and sizes == sorted(set(sizes))


@attrs.frozen(kw_only=True)
class Curve(Tabular):
    """Pool sizes side by side. Iterating gives the points, and the length is their number."""

    on_miss: OnMiss = attrs.field(validator=member_of(OnMiss))
    span: timedelta = attrs.field(validator=DURATION)
    points: tuple[PoolSize, ...] = attrs.field(
        converter=to_tuple,
        validator=[tuple_of(PoolSize), check("one point or more, in the order of their sizes", _is_in_order)],
        repr=lambda points: f"<{len(points)} points, sizes {points[0].size} to {points[-1].size}>",
    )
    source: str = attrs.field(validator=instance_of(str))
    """A sentence about where the numbers come from."""

    def __iter__(self) -> Iterator[PoolSize]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def smallest(self, *, hit_rate: float) -> PoolSize:
        """The smallest size with at least this hit rate. Raises `UnreachableGoalError` if no size reaches it."""
        goal = require_share("Curve.smallest", "hit_rate", hit_rate)
        found = next((point for point in self.points if point.hit_rate >= goal), None)
        if found is None:
            raise UnreachableGoalError(goal, max(point.hit_rate for point in self.points))
        return found

    def cheapest(self, *, idle_cost: float, miss_cost: float, wait_cost: float = 0) -> PoolSize:
        """The size that costs least; the smallest one if several cost the same.

        `idle_cost` is the cost of an idle prebuild per hour, `miss_cost` that of a miss, and `wait_cost` that of a
        waiting user per hour, all in the same currency.
        """
        idle = require_amount("Curve.cheapest", "idle_cost", idle_cost)
        miss = require_amount("Curve.cheapest", "miss_cost", miss_cost)
        wait = require_amount("Curve.cheapest", "wait_cost", wait_cost)
        return min(self.points, key=lambda at: idle * at.idle_hours + miss * at.misses + wait * at.wait_hours)

    def for_size(self, size: int) -> PoolSize:
        """The point of one size.

        A size beyond the last that misses nothing only idles longer. Raises `InvalidValueError` for any other size that
        the curve does not have.
        """
        found = next((point for point in self.points if point.size == size), None)
        last = self.points[-1]
        if found is None and type(size) is int and last.size < size <= MAX_COUNT and not last.misses:
            idle_hours = last.idle_hours + (size - last.size) * (self.span / _HOUR)
            return attrs.evolve(last, size=size, idle_hours=idle_hours)
        if found is None:
            allowed = f"one of the curve's sizes, {self.points[0].size} to {last.size}"
            raise InvalidValueError("Curve.for_size", "size", size, allowed)
        return found

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row for each size. Without claims, the hit rate is None."""
        return [
            {
                "size": point.size,
                "hit_rate": point.hit_rate if point.claims else None,
                "misses": point.misses,
                "idle_hours": point.idle_hours,
                "mean_wait": point.mean_wait,
            }
            for point in self.points
        ]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was measured, and what was assumed."""
        count = self.points[0].claims
        after = "builds a workspace of their own" if self.on_miss is OnMiss.COLD_START else "takes the next prebuild"
        return (
            f"{count:,.0f} {'claim' if count == 1 else 'claims'} in {describe_value(self.span)}; {self.source}",
            f"Each prebuild is replaced as soon as it is claimed; a user who finds none {after}.",
        )

    def chart(self, *, hit_rate: float | None = None) -> Any:
        """An altair chart of hits against idle prebuilds. It marks the smallest size that reaches `hit_rate`, if given.

        Raises `InsufficientHistoryError` without claims, and `MissingExtraError` without the extra `notebook`.
        """
        alt = load_altair()
        if not self.points[0].claims:
            raise InsufficientHistoryError("a chart of hit rates needs claims, and there were none")
        rows = [_list_place(point, self.span) for point in self.points]
        base = alt.Chart(make_data(rows)).encode(
            x=alt.X("idle:Q", title="prebuilds that stand idle, on average"),
            y=alt.Y("hits:Q", title="claims that find one ready (%)", scale=alt.Scale(domain=[0, 100])),
            tooltip=[alt.Tooltip("size:Q"), alt.Tooltip("hits:Q", format=".2f"), alt.Tooltip("idle:Q", format=".2f")],
        )
        layers = [base.mark_line(color=_BLUE, strokeWidth=1), base.mark_point(color=_BLUE, filled=True, size=30)]
        if hit_rate is not None:
            layers += _mark(alt, _list_place(self.smallest(hit_rate=hit_rate), self.span), hit_rate)
        return show_offline(alt.layer(*layers).properties(width=560, height=300, title="Each point is a pool size"))


_BLUE, _RED = "#4c78a8", "#e45756"


def _list_place(point: PoolSize, span: timedelta) -> dict[str, float]:
    hours = span / _HOUR
    return {"size": point.size, "hits": 100 * point.hit_rate, "idle": point.idle_hours / hours if hours else 0.0}


def _mark(alt: Any, place: dict[str, float], hit_rate: float) -> list[Any]:
    """A line at the hit rate, and a mark at the size that reaches it, with its label below the curve."""
    text = f"{place['size']:g} for {hit_rate:.4g}"
    rule = alt.Chart(make_data([{"hits": 100 * hit_rate}])).mark_rule(color=_RED, strokeDash=[4, 4]).encode(y="hits:Q")
    chosen = alt.Chart(make_data([place])).encode(x="idle:Q", y="hits:Q")
    return [rule, chosen.mark_point(color=_RED, size=120), chosen.mark_text(color=_RED, dy=22, text=text, fontSize=13)]
