"""How results show themselves: as rows for programs and notebooks, and as charts.

- A result says its rows once, in `to_dicts`; the data frame and the HTML table are made of them.
- pandas and altair come with the extra `notebook` and are imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from prebuilds.decision.describing import describe_duration, describe_instant
from prebuilds.decision.plans.rendering import render_table
from prebuilds.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

_C = TypeVar("_C")
_SECOND, _MINUTE, _HOUR, _DAY = (timedelta(seconds=seconds) for seconds in (1, 60, 3_600, 86_400))
_UNITS = ((_SECOND, _SECOND / 10), (_MINUTE, _SECOND / 10), (_HOUR, _SECOND), (_DAY, _MINUTE), (timedelta.max, _HOUR))
"""Up to which durations which unit is told."""
_MOST_SHOWN = 60  # rows of a table in a notebook


class Rows:
    """What has rows: a child defines `to_dicts`, and may define `notes`, the sentences below its table."""

    __slots__ = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as plain values: numbers, text, instants and durations."""
        raise NotImplementedError

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the table must know."""
        return ()

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a data frame. Raises `MissingExtraError` without the extra `notebook`."""
        frame: pd.DataFrame = load_pandas().DataFrame(self.to_dicts())
        return frame

    def _repr_html_(self) -> str:
        rows = self.to_dicts()
        more = [f"{len(rows) - _MOST_SHOWN:,} more rows; `to_dicts()` has them all."] if len(rows) > _MOST_SHOWN else []
        headers = [name.replace("_", " ") for name in rows[0]] if rows else []
        return render_table(headers, map(list_texts, rows[:_MOST_SHOWN]), [*more, *self.notes])


def list_texts(row: Mapping[str, Any]) -> list[str]:
    """The values of a row as a person should read them; a hit rate in percent."""
    return [
        f"{100 * value:.2f} %" if name == "hit_rate" and value is not None else describe_value(value)
        for name, value in row.items()
    ]


def describe_value(value: Any) -> str:
    """A number with four digits that count, 2026-11-23 09:30:00 UTC, about how long a duration is; empty for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
    if isinstance(value, datetime):
        return describe_instant(value)
    if isinstance(value, timedelta):
        return describe_about(value)
    return f"{value:,}" if type(value) is int else str(value)


def describe_about(duration: timedelta) -> str:
    """A duration to a digit that a person reads: 0.12 s, 1.3 s, 5 min 30 s, 2 h 5 min, 27 d 17 h."""
    if duration < _UNITS[0][0]:
        return describe_duration(timedelta(seconds=float(f"{duration.total_seconds():.2g}")))
    unit = next(unit for longest, unit in _UNITS if duration < longest)
    return describe_duration(round(duration / unit) * unit)


def load_pandas() -> ModuleType:
    """pandas, or `MissingExtraError`."""
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise MissingExtraError("pandas", "notebook") from error
    return pd


def load_altair() -> ModuleType:
    """altair, or `MissingExtraError`."""
    try:
        import altair as alt
    except ModuleNotFoundError as error:
        raise MissingExtraError("altair", "notebook") from error
    return alt


def show_offline(chart: _C) -> _C:
    """The chart, which a notebook now shows without the network.

    The renderer that altair begins with writes a page that loads its scripts from a server. Under it the chart shows
    itself as a picture; a renderer that a user has chosen is left to do its work.
    """
    # altair takes every plain assignment for a property of the chart.
    kind: type[Any] = type(chart)
    object.__setattr__(chart, "__class__", _make_offline(kind))
    return chart


def _make_offline(kind: type[Any]) -> type[Any]:
    def show(chart: Any, *args: Any, **given: Any) -> Any:
        renderers = load_altair().renderers
        if renderers.active != "default":
            return kind._repr_mimebundle_(chart, *args, **given)
        with renderers.enable("svg"):
            return kind._repr_mimebundle_(chart, *args, **given)

    return type(kind.__name__, (kind,), {"__module__": kind.__module__, "_repr_mimebundle_": show})


def make_data(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Rows as the data of a chart: plain values, without a data frame; an instant is text that altair reads in UTC."""
    values = [{name: _to_plain(value) for name, value in row.items()} for row in rows]
    return load_altair().Data(values=values)


def _to_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value
