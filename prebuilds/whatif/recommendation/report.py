"""Recommendations: the ways to keep prebuilds, side by side, and the one to take."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs

from prebuilds.decision.fields import COUNT, TEXT, instance_of, member_of, optional, to_tuple, tuple_of
from prebuilds.decision.models import Preset
from prebuilds.decision.schedules.schedule import Schedule
from prebuilds.decision.schedules.windows import parse_window
from prebuilds.errors import InvalidValueError
from prebuilds.whatif.recommendation.holdout import RATE, HoldoutReport
from prebuilds.whatif.recommendation.options import OptionKind, SizingOption, explain_choice
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.views.charts import load_altair, make_data, show_offline
from prebuilds.whatif.views.rows import Tabular

_MONDAY = datetime(2024, 1, 1)  # noqa: DTZ001 - any Monday, by the wall clock of any zone
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


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
    """How many prebuilds to keep, and when, to reach a hit rate. Its rows are those of the chosen option."""

    options: tuple[SizingOption, ...] = attrs.field(converter=to_tuple, validator=tuple_of(SizingOption))
    """The single size first."""
    chosen: SizingOption = attrs.field(validator=instance_of(SizingOption))
    """The option to take: never one that was worse than the single size on the days that were held out."""
    timezone: str = attrs.field(validator=TEXT)
    hit_rate: float = attrs.field(validator=RATE)
    on_miss: OnMiss = attrs.field(validator=member_of(OnMiss))
    forecast: tuple[HourForecast, ...] = attrs.field(
        converter=to_tuple, validator=tuple_of(HourForecast), repr=lambda forecast: f"<{len(forecast)} hours>"
    )
    caveats: tuple[str, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(str))
    """What the history cannot tell, in sentences."""

    @property
    def desired_instances(self) -> int:
        return self.chosen.desired_instances

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        return self.chosen.schedules

    @property
    def is_reached(self) -> bool:
        """Whether backtests of the chosen option reached the hit rate."""
        return self.chosen.is_reached

    @property
    def held_out(self) -> HoldoutReport:
        """How the chosen option did on the days that were held out."""
        return self.chosen.held_out

    def apply_to(self, preset: Preset) -> Preset:
        """The preset with the base count, the schedules and the time zone of the chosen option."""
        return self.chosen.apply_to(preset)

    def find_option(self, kind: OptionKind | str) -> SizingOption:
        """The option of one kind, given as a member or as its value, such as `"schedules"`.

        Raises `InvalidValueError` if there is none.
        """
        found = [option for option in self.options if kind in (option.kind, option.kind.value)]
        if not found:
            allowed = " or ".join(repr(option.kind.value) for option in self.options)
            raise InvalidValueError("Recommendation.find_option", "kind", kind, allowed)
        return found[0]

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row for each window of the chosen option, and one for all other times."""
        return self.chosen.to_dicts()

    def explain(self) -> str:
        """The recommendation and its report in words."""
        rows = [f"{row['instances']:>4}  {row['window']}" for row in self.to_dicts()]
        return "\n".join([f"Keep, by the clock of {self.timezone}:", *rows, *self.notes])

    @property
    def notes(self) -> tuple[str, ...]:
        """Which option and why, its report, and what the history cannot tell."""
        return (*explain_choice(self.options, self.chosen), *self.held_out.notes, *self.caveats)

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
