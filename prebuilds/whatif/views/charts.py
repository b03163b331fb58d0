"""altair charts: their data, and how a notebook shows them without the network.

altair comes with the extra `notebook`, and is imported when a chart is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, TypeVar

from prebuilds.errors import MissingExtraError

_C = TypeVar("_C")


def load_altair() -> ModuleType:
    """altair, or `MissingExtraError`."""
    try:
        import altair as alt
    except ModuleNotFoundError as error:
        raise MissingExtraError("altair", "notebook") from error
    return alt


def show_offline(chart: _C) -> _C:
    """Make a notebook show this chart without the network, and return it.

    The default renderer of altair writes a page that loads its scripts from a server. Under that one, the chart is
    shown as a picture. A renderer that the user has enabled is used as it is.
    """
    # altair treats a plain assignment as a property of the chart.
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
    """Rows as chart data, without a data frame. Instants become text that altair reads as UTC."""
    values = [{name: _to_plain(value) for name, value in row.items()} for row in rows]
    return load_altair().Data(values=values)


def _to_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value
