"""A preset's schedules as one JSON value, for adapters that keep them in a single column.

- What has its default is left out: what was stored before there were dates and leads is read and written as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from prebuilds.decision.schedules.schedule import Schedule

_MICROSECOND = timedelta.resolution


def flatten_schedules(schedules: Sequence[Schedule]) -> list[dict[str, Any]]:
    """The schedules as JSON values."""
    return [_flatten(schedule) for schedule in schedules]


def make_schedules(rows: Sequence[dict[str, Any]]) -> tuple[Schedule, ...]:
    """The reverse of `flatten_schedules`."""
    return tuple(map(_make, rows))


def _flatten(schedule: Schedule) -> dict[str, Any]:
    optional = {
        "starts_on": schedule.starts_on and schedule.starts_on.isoformat(),
        "ends_on": schedule.ends_on and schedule.ends_on.isoformat(),
        "dates": [day.isoformat() for day in schedule.dates],
        "except_on": [day.isoformat() for day in schedule.except_on],
        "lead_microseconds": schedule.lead // _MICROSECOND,
    }
    kept = {name: value for name, value in optional.items() if value}
    return {"cron": schedule.cron, "instances": schedule.instances, **kept}


def _make(row: dict[str, Any]) -> Schedule:
    return Schedule(
        cron=row["cron"],
        instances=row["instances"],
        starts_on=_make_date(row.get("starts_on")),
        ends_on=_make_date(row.get("ends_on")),
        dates=tuple(map(date.fromisoformat, row.get("dates", ()))),
        except_on=tuple(map(date.fromisoformat, row.get("except_on", ()))),
        lead=row.get("lead_microseconds", 0) * _MICROSECOND,
    )


def _make_date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
