"""How results show themselves: as rows for programs and notebooks, and as charts.

- A result says its rows once, in `to_dicts`; the data frame and the HTML table are made of them.
- pandas and altair come with the extra `notebook` and are imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any

from prebuilds.decision.explaining import describe_duration, describe_instant
from prebuilds.decision.rendering import render_table
from prebuilds.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

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
    """The values of a row as a person should read them."""
    return [describe_value(value) for value in row.values()]


def describe_value(value: Any) -> str:
    """A number with four digits that count, 2026-11-23 09:30:00 UTC, 5 min 30 s; empty for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
    if isinstance(value, datetime):
        return describe_instant(value)
    if isinstance(value, timedelta):
        return describe_duration(value)
    return f"{value:,}" if type(value) is int else str(value)


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


def make_data(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Rows as the data of a chart: plain values, without a data frame; an instant is text that altair reads in UTC."""
    values = [{name: _to_plain(value) for name, value in row.items()} for row in rows]
    return load_altair().Data(values=values)


def _to_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value
