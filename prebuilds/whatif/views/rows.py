"""Results as rows: plain values, data frames, and HTML tables for notebooks.

- A result gives its rows in `to_dicts`. Its data frame and its HTML table are made from them.
- pandas comes with the extra `notebook`, and is imported when a data frame is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any

from prebuilds.decision.plans.html_tables import render_table
from prebuilds.decision.wording import describe_duration, describe_instant
from prebuilds.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

_SECOND, _MINUTE, _HOUR, _DAY = (timedelta(seconds=seconds) for seconds in (1, 60, 3_600, 86_400))
_UNITS = ((_SECOND, _SECOND / 10), (_MINUTE, _SECOND / 10), (_HOUR, _SECOND), (_DAY, _MINUTE), (timedelta.max, _HOUR))
"""Durations below the first of each pair are rounded to the second."""
_MOST_SHOWN = 60  # rows of a table in a notebook


class Tabular:
    """A result with rows. A subclass defines `to_dicts`, and may define `notes`, the sentences below its table."""

    __slots__ = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows, with plain values: numbers, texts, instants and durations."""
        raise NotImplementedError

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a reader of the table must know."""
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
    """The values of a row as text for people. A hit rate is in percent."""
    return [
        f"{100 * value:.2f} %" if name == "hit_rate" and value is not None else describe_value(value)
        for name, value in row.items()
    ]


def describe_value(value: Any) -> str:
    """A value as text: four significant digits, 2026-11-23 09:30:00 UTC, a rounded duration, or empty for None."""
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
    """A rounded duration: 0.12 s, 1.3 s, 5 min 30 s, 2 h 5 min, 27 d 17 h."""
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
