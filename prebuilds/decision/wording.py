"""Instants, durations and counts in words, the same in every message and table."""

from __future__ import annotations

from datetime import datetime, timedelta

_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1)))


def describe_instant(instant: datetime) -> str:
    """2026-11-23 09:30:00 UTC, with a fraction of a second if there is one."""
    return f"{instant.replace(tzinfo=None)} UTC"


def describe_duration(duration: timedelta) -> str:
    """1 d 12 h, 5 min, 1.5 s: the units that are not zero."""
    parts = []
    for unit, length in _UNITS:
        count, duration = divmod(duration, length)
        parts += [f"{count} {unit}"] if count else []
    seconds = f"{duration.total_seconds():.6f}".rstrip("0").rstrip(".")
    return " ".join([*parts, f"{seconds} s"] if duration or not parts else parts)


def describe_count(count: int, noun: str) -> str:
    """1 job, 2 jobs."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
