"""Recommendations: a base count and schedules, with a report of how they did on days that were held out.

- Neither the counts nor their margin had seen the days of the report.
- An interval is a 95 % interval over days. There is none for a single day.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs

from prebuilds.decision.fields import (
    COUNT,
    FLAG,
    INSTANT,
    TEXT,
    check,
    instance_of,
    member_of,
    optional,
    to_tuple,
    tuple_of,
)
from prebuilds.decision.models import Preset
from prebuilds.decision.schedules.schedule import Schedule
from prebuilds.decision.schedules.windows import parse_window
from prebuilds.decision.wording import describe_instant
from prebuilds.whatif.sizing.pool_size import PoolSize
from prebuilds.whatif.traces.number_checks import is_number
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.views.charts import load_altair, make_data, show_offline
from prebuilds.whatif.views.intervals import Interval
from prebuilds.whatif.views.rows import Tabular

_AMOUNT = check("a number of 0 or more", lambda value: is_number(value) and value >= 0)
_SHARE = check("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)
_MONDAY = datetime(2024, 1, 1)  # noqa: DTZ001 - any Monday, by the wall clock of any zone
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@attrs.frozen(kw_only=True)
class HoldoutReport:
    """How recommended counts did on days that were held out, `begin` to `end`, and how the best single size would have.

    `single` is the smallest size with at least as many hits on the same days. It can only be known afterwards.
    """

    begin: datetime = attrs.field(validator=INSTANT)
    end: datetime = attrs.field(validator=INSTANT)
    claims: int = attrs.field(validator=COUNT)
    hit_rate: float = attrs.field(validator=_SHARE)
    hit_rate_interval: Interval | None = attrs.field(validator=optional(instance_of(Interval)))
    idle_hours: float = attrs.field(validator=_AMOUNT)
    idle_hours_interval: Interval | None = attrs.field(validator=optional(instance_of(Interval)))
    single: PoolSize = attrs.field(validator=instance_of(PoolSize))

    @property
    def idle_hours_saved(self) -> float:
        """The idle hours of the single size minus those of the recommended counts; negative if these idled more."""
        return self.single.idle_hours - self.idle_hours

    @property
    def notes(self) -> tuple[str, ...]:
        """The report in two sentences; in one if there were no claims."""
        single, saved = self.single, self.idle_hours_saved
        span = f"Held out from {describe_instant(self.begin)} to {describe_instant(self.end)}"
        idle = f"{self.idle_hours:,.1f} idle hours{_describe(self.idle_hours_interval, ',.1f')}"
        if not self.claims:
            return (f"{span}: no claims, {idle}.",)
        return (
            f"{span}: {self.hit_rate:.2%} of {self.claims:,} claims were hits"
            f"{_describe(self.hit_rate_interval, '.2%')}, {idle}.",
            f"The best single size for that, {single.size}, would have had {single.hit_rate:.2%} and "
            f"{single.idle_hours:,.1f} idle hours: {abs(saved):,.1f} {'more' if saved >= 0 else 'fewer'}.",
        )


@attrs.frozen(kw_only=True)
class HourForecast:
    """One hour of the week by the local clock: how many prebuilds it needed, and how many are to be kept in it.

    Hour 0 is Monday 00:00. `needed` is None for an hour that the history does not have.
    """

    hour_of_week: int = attrs.field(validator=COUNT)
    needed: int | None = attrs.field(validator=optional(COUNT))
    target: int = attrs.field(validator=COUNT)


@attrs.frozen(kw_only=True)
class Recommendation(Tabular):
    """How many prebuilds to keep, and when, to reach a hit rate. `apply_to` puts it into a preset."""

    desired_instances: int = attrs.field(validator=COUNT)
    schedules: tuple[Schedule, ...] = attrs.field(converter=to_tuple, validator=tuple_of(Schedule))
    timezone: str = attrs.field(validator=TEXT)
    hit_rate: float = attrs.field(validator=_SHARE)
    on_miss: OnMiss = attrs.field(validator=member_of(OnMiss))
    margin: float = attrs.field(validator=_AMOUNT)
    """The share by which counts were raised above what the past needed, so that backtests reach the hit rate."""
    is_reached: bool = attrs.field(validator=FLAG)
    """Whether backtests reached the hit rate with this margin, with 95 % confidence."""
    held_out: HoldoutReport = attrs.field(validator=instance_of(HoldoutReport))
    forecast: tuple[HourForecast, ...] = attrs.field(
        converter=to_tuple, validator=tuple_of(HourForecast), repr=lambda forecast: f"<{len(forecast)} hours>"
    )
    caveats: tuple[str, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(str))
    """What the history cannot tell, in sentences."""

    def apply_to(self, preset: Preset) -> Preset:
        """The preset with this base count, these schedules and this time zone."""
        return attrs.evolve(
            preset, desired_instances=self.desired_instances, schedules=self.schedules, timezone=self.timezone
        )

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row for each window, and one for all other times."""
        rows = [{"window": schedule.cron, "instances": schedule.instances} for schedule in self.schedules]
        return [
            *rows,
            {"window": "at all other times" if rows else "at all times", "instances": self.desired_instances},
        ]

    def explain(self) -> str:
        """The recommendation and its report in words."""
        rows = [f"{row['instances']:>4}  {row['window']}" for row in self.to_dicts()]
        return "\n".join([f"Keep, by the clock of {self.timezone}:", *rows, *self.notes])

    @property
    def notes(self) -> tuple[str, ...]:
        """The report, and what the history cannot tell."""
        return (
            *self.held_out.notes,
            f"Counts have a margin of {self.margin:.0%}, with which backtests "
            f"{'reached' if self.is_reached else 'did not reach'} {self.hit_rate:.2%}.",
            *self.caveats,
        )

    def chart(self) -> Any:
        """An altair heat map: what each hour of the week needed, and what is to be kept in it.

        Raises `MissingExtraError` without the extra `notebook`.
        """
        alt = load_altair()
        rows = [row for hour in self.forecast for row in _list_cells(hour)]
        base = alt.Chart(make_data(rows)).encode(
            x=alt.X("hour:O", title=f"hour of the day ({self.timezone})", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("day:O", title=None, sort=list(WEEKDAYS)),
        )
        scale = alt.Scale(range=["#f3f7fb", "#6ea3d4"])  # light enough to read numbers on
        legend = alt.Legend(tickMinStep=1, format="d")
        cells = base.mark_rect().encode(color=alt.Color("count:Q", title="prebuilds", scale=scale, legend=legend))
        texts = base.mark_text(fontSize=10).encode(text="count:Q")
        panels = alt.layer(cells, texts).properties(width=560, height=160)
        header = alt.Header(labelFontSize=13)
        return show_offline(panels.facet(row=alt.Row("what:N", title=None, sort=list(_PANELS), header=header)))


_PANELS = ("needed in the past", "to be kept")


def _list_cells(hour: HourForecast) -> list[dict[str, Any]]:
    day, of_day = divmod(hour.hour_of_week, 24)
    counts = zip(_PANELS, (hour.needed, hour.target), strict=True)
    return [{"day": WEEKDAYS[day], "hour": of_day, "what": what, "count": count} for what, count in counts]


def find_targets(preset: Preset) -> list[int]:
    """The preset's target in each hour of the week, by the wall clock."""
    windows = [(parse_window(schedule.cron), schedule.instances) for schedule in preset.schedules]
    clock = [_MONDAY + timedelta(hours=hour) for hour in range(7 * 24)]
    return [next((n for window, n in windows if window.contains(at)), preset.desired_instances) for at in clock]


def _describe(interval: Interval | None, form: str) -> str:
    return "" if interval is None else f" (95 % interval {interval.low:{form}} to {interval.high:{form}})"
