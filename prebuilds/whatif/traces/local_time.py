"""The local hours of a time zone: which hour of the week an instant is in.

Hours of the week are numbered by the wall clock of the zone, from 0 (Monday 00:00) to 167 (Sunday 23:00). When the
clock is put back, an hour comes twice; when it is put forward, one is skipped.
"""

from __future__ import annotations

from datetime import tzinfo

from prebuilds.decision.schedules.zones import load_zone
from prebuilds.errors import InvalidValueError
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR, to_instant

HOURS_PER_WEEK = 168
_QUARTER = TICKS_PER_HOUR // 4  # every UTC offset in use today is a whole number of quarters


def require_zone(place: str, timezone: str) -> tzinfo:
    """A zone of the IANA database. Raises `InvalidValueError`, which names the place, if there is no such zone."""
    try:
        if isinstance(timezone, str):
            return load_zone(timezone)
    except ValueError:
        pass
    raise InvalidValueError(place, "timezone", timezone, "the name of a time zone, such as UTC")


def list_hours(local: LocalHours, begin: int, end: int) -> list[tuple[int, int]]:
    """The hours of the week from `begin` to before `end`: the tick at which each starts, and its number."""
    found = [(begin, local.find_hour(begin))]
    for at in range((begin // _QUARTER + 1) * _QUARTER, end, _QUARTER):
        hour = local.find_hour(at)
        if hour != found[-1][1]:
            found.append((at, hour))
    return found


class LocalHours:
    """Finds the hour of the week in one zone. Raises `InvalidValueError` for an unknown zone."""

    def __init__(self, place: str, timezone: str) -> None:
        self._zone = require_zone(place, timezone)
        self._known: dict[int, int] = {}

    def find_hour(self, tick: int) -> int:
        """The hour of the week at a tick."""
        quarter = tick // _QUARTER
        hour = self._known.get(quarter)
        if hour is None:
            local = to_instant(quarter * _QUARTER).astimezone(self._zone)
            hour = self._known[quarter] = 24 * local.weekday() + local.hour
        return hour
