"""Instants as RFC 3339 text.

Python 3.10 reads neither `Z` nor fractions of any length, so they are read here. Digits beyond the microsecond, which a
datetime cannot hold, are cut off.
"""

from __future__ import annotations

import re
from datetime import datetime

from prebuilds.decision.fields import UTC

_INSTANT = re.compile(
    r"(?P<moment>\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?"
    r"(?P<zone>[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)?",
    re.ASCII,
)
EXAMPLE = "2026-01-31T09:30:00Z"


def parse_instant(text: str) -> datetime:
    """The instant in UTC. Raises `ValueError`, which says what is wrong with the text."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(f"is not an RFC 3339 instant such as {EXAMPLE}")
    if match["zone"] is None:
        raise ValueError(f"has no time zone; write an RFC 3339 instant such as {EXAMPLE}")
    fraction = f".{match['fraction'][:6]:0<6}" if match["fraction"] else ""
    zone = "+00:00" if match["zone"] in "Zz" else match["zone"]
    try:
        # In a form that Python 3.10 reads, and in one step, as files have many instants.
        return datetime.fromisoformat(f"{match['moment'].upper()}{fraction}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a date and time of the years 1 to 9999 of UTC") from None


def format_instant(instant: datetime) -> str:
    """The instant in UTC, ending in Z, with six digits after the point if it has a fraction, and none otherwise."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
