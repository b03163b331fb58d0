"""The timeline of pools: how many prebuilds they wanted, had, and had under way, as rows and as a chart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from prebuilds.whatif.simulation.event_log import EventLog
from prebuilds.whatif.simulation.timelines.counts_over_time import Moment, iterate_moments
from prebuilds.whatif.simulation.timelines.timeline_chart import chart_timelines
from prebuilds.whatif.views.rows import Tabular

if TYPE_CHECKING:
    import altair as alt


@attrs.frozen(kw_only=True)
class Timeline(Tabular):
    """The moments of one pool or of several, pool by pool. Iterating gives them."""

    pools: tuple[EventLog, ...] = attrs.field(repr=False)

    def __iter__(self) -> Iterator[Moment]:
        for log in self.pools:
            yield from iterate_moments(log)

    def to_dicts(self) -> list[dict[str, Any]]:
        return [attrs.asdict(moment) for moment in self]

    def chart(self) -> alt.VConcatChart:
        """A chart of each preset: target, running and starting prebuilds over time, and the claims, with misses marked.

        Raises `MissingExtraError` without the extra `notebook`.
        """
        return chart_timelines([(log, list(iterate_moments(log))) for log in self.pools])
