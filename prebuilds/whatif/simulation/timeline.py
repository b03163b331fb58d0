"""The timeline: how many prebuilds pools wanted, had and had under way, as rows and as a chart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from prebuilds.whatif.simulation.event_log import PoolRecord
from prebuilds.whatif.simulation.moments import Moment, iterate_moments
from prebuilds.whatif.simulation.timeline_chart import chart_timelines
from prebuilds.whatif.views.rows import Rows

if TYPE_CHECKING:
    import altair as alt


@attrs.frozen(kw_only=True)
class Timeline(Rows):
    """The moments of one pool or of several, one pool after the other. Iterating gives them."""

    pools: tuple[PoolRecord, ...] = attrs.field(repr=False)

    def __iter__(self) -> Iterator[Moment]:
        for record in self.pools:
            yield from iterate_moments(record)

    def to_dicts(self) -> list[dict[str, Any]]:
        return [attrs.asdict(moment) for moment in self]

    def chart(self) -> alt.VConcatChart:
        """Target, running and starting prebuilds over time, and the claims with the misses among them, by preset.

        Raises `MissingExtraError` without the extra `notebook`.
        """
        return chart_timelines([(record, list(iterate_moments(record))) for record in self.pools])
