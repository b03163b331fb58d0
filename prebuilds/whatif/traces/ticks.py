"""Ticks: instants and durations as whole microseconds, which are exact, and quick to compare and to sum.

An instant is held as the microseconds since 1970 in UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from prebuilds.decision.fields import FIRST_NOW, LAST_NOW, UTC

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST = datetime.max.replace(tzinfo=UTC)
TICKS_PER_SECOND = 1_000_000
TICKS_PER_HOUR = 3_600 * TICKS_PER_SECOND


def to_ticks(instant: datetime) -> int:
    """An aware instant as whole microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def to_instant(ticks: int) -> datetime:
    """The instant that ticks stand for, in UTC; for one after the last that a datetime holds, that one."""
    try:
        return _EPOCH + timedelta(microseconds=ticks)
    except OverflowError:
        return _LAST


def count_ticks(duration: timedelta) -> int:
    """A duration in whole microseconds."""
    return duration // _MICROSECOND


FIRST_TICK, LAST_TICK = to_ticks(FIRST_NOW), to_ticks(LAST_NOW)
"""The first and the last instant that a claim can have: those that a decision can be taken at."""
