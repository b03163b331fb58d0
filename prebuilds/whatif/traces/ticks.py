"""Ticks: instants and durations as whole microseconds. They are exact, and fast to compare and to add.

An instant is the number of microseconds since 1970 in UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from prebuilds.decision.fields import FIRST_NOW, LAST_NOW, UTC

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST = datetime.max.replace(tzinfo=UTC)
TICKS_PER_SECOND = 1_000_000
TICKS_PER_HOUR = 3_600 * TICKS_PER_SECOND
TICKS_PER_DAY = 24 * TICKS_PER_HOUR


def to_ticks(instant: datetime) -> int:
    """An aware instant as whole microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def to_instant(ticks: int) -> datetime:
    """The instant of a tick, in UTC. Ticks beyond the last datetime give the last datetime."""
    try:
        return _EPOCH + timedelta(microseconds=ticks)
    except OverflowError:
        return _LAST


def count_ticks(duration: timedelta) -> int:
    """A duration in whole microseconds."""
    return duration // _MICROSECOND


FIRST_TICK, LAST_TICK = to_ticks(FIRST_NOW), to_ticks(LAST_NOW)
"""The first and the last instant of a claim. They are those of a decision."""
