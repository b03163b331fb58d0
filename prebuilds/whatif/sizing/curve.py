"""Curves: what each pool size would have had in hits, idleness and waiting.

- A curve has its points in the order of their sizes, each size once.
- Hours are of prebuilds that stood ready, and of users who waited; both are summed over the whole span.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import attrs

from prebuilds.decision.fields import COUNT, DURATION, check, instance_of, member_of, to_tuple, tuple_of
from prebuilds.errors import InsufficientHistoryError, InvalidValueError, UnreachableGoalError
from prebuilds.whatif.traces.arguments import require_amount, require_share
from prebuilds.whatif.traces.numbers import is_number
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.views.rows import Rows, describe_value, load_altair, make_data, show_offline

_AMOUNT = check("a number of 0 or more", lambda value: is_number(value) and value >= 0)


@attrs.frozen(kw_only=True)
class PoolSize:
    """What one pool size would have had. The numbers of a formula are expectations, and need not be whole."""

    size: int = attrs.field(validator=COUNT)
    claims: float = attrs.field(validator=_AMOUNT)
    hits: float = attrs.field(validator=_AMOUNT)
    idle_hours: float = attrs.field(validator=_AMOUNT)
    """Hours that prebuilds stood ready and unclaimed, summed over all of them."""
    wait_hours: float = attrs.field(validator=_AMOUNT)
    """Hours that users waited, summed over all claims: for the next prebuild, or for a workspace of their own."""

    @property
    def misses(self) -> float:
        return self.claims - self.hits

    @property
    def hit_rate(self) -> float:
        """The share of claims that found a prebuild ready; 1 where there were no claims."""
        return self.hits / self.claims if self.claims else 1.0

    @property
    def mean_wait(self) -> timedelta:
        """How long a user waited on average, hits included."""
        return timedelta(hours=self.wait_hours / self.claims) if self.claims else timedelta()


def _is_in_order(points: Any) -> bool:
    sizes = [point.size for point in points]
    return len(sizes) > 0 and sizes == sorted(set(sizes))


@attrs.frozen(kw_only=True)
class Curve(Rows):
    """Pool sizes side by side. Iterating gives the points; the length is their number."""

    on_miss: OnMiss = attrs.field(validator=member_of(OnMiss))
    span: timedelta = attrs.field(validator=DURATION)
    points: tuple[PoolSize, ...] = attrs.field(
        converter=to_tuple,
        validator=[tuple_of(PoolSize), check("one point or more, in the order of their sizes", _is_in_order)],
        repr=lambda points: f"<{len(points)} points, sizes {points[0].size} to {points[-1].size}>",
    )
    source: str = attrs.field(validator=instance_of(str))
    """Where the numbers come from, in a sentence."""

    def __iter__(self) -> Iterator[PoolSize]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def smallest(self, *, hit_rate: float) -> PoolSize:
        """The smallest size with at least this share of hits. Raises `UnreachableGoalError` if none has it."""
        goal = require_share("Curve.smallest", "hit_rate", hit_rate)
        found = next((point for point in self.points if point.hit_rate >= goal), None)
        if found is None:
            raise UnreachableGoalError(goal, max(point.hit_rate for point in self.points))
        return found

    def cheapest(self, *, idle_cost: float, miss_cost: float, wait_cost: float = 0) -> PoolSize:
        """The size that costs least, the smallest of equals.

        `idle_cost` is what an hour of an idle prebuild costs, `miss_cost` what a miss does, and `wait_cost` an hour
        that a user waits, all of one currency.
        """
        idle = require_amount("Curve.cheapest", "idle_cost", idle_cost)
        miss = require_amount("Curve.cheapest", "miss_cost", miss_cost)
        wait = require_amount("Curve.cheapest", "wait_cost", wait_cost)
        return min(self.points, key=lambda at: idle * at.idle_hours + miss * at.misses + wait * at.wait_hours)

    def for_size(self, size: int) -> PoolSize:
        """The point of one size. Raises `InvalidValueError` if the curve does not have it."""
        found = next((point for point in self.points if point.size == size), None)
        if found is None:
            raise InvalidValueError("Curve.for_size", "size", size, "one of the curve's sizes")
        return found

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row for each size. There is no hit rate where there were no claims."""
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
        """What the numbers are of, and what was assumed."""
        count = self.points[0].claims
        after = "builds a workspace of their own" if self.on_miss is OnMiss.COLD_START else "takes the next prebuild"
        return (
            f"{count:,.0f} {'claim' if count == 1 else 'claims'} in {describe_value(self.span)}; {self.source}",
            f"Each prebuild is replaced as soon as it is claimed; who finds none {after}.",
        )

    def chart(self, *, hit_rate: float | None = None) -> Any:
        """The share of hits against what idles, as an altair chart, with the smallest size for a hit rate marked.

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
    hours = span / timedelta(hours=1)
    return {"size": point.size, "hits": 100 * point.hit_rate, "idle": point.idle_hours / hours if hours else 0.0}


def _mark(alt: Any, place: dict[str, float], hit_rate: float) -> list[Any]:
    """A rule at the hit rate, and the size that reaches it, named below the curve where nothing else is."""
    text = f"{place['size']:g} for {hit_rate:.4g}"
    rule = alt.Chart(make_data([{"hits": 100 * hit_rate}])).mark_rule(color=_RED, strokeDash=[4, 4]).encode(y="hits:Q")
    chosen = alt.Chart(make_data([place])).encode(x="idle:Q", y="hits:Q")
    return [rule, chosen.mark_point(color=_RED, size=120), chosen.mark_text(color=_RED, dy=22, text=text, fontSize=13)]
