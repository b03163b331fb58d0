"""Instants as RFC 3339 text, as documents have them.

Python 3.10 reads neither `Z` nor fractions of any length, so they are read here. Digits beyond the microsecond, which
a datetime cannot hold, are cut off.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from prebuilds.decision.fields import UTC

_INSTANT = re.compile(
    r"(?P<moment>\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?"
    r"(?P<zone>[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)?",
    re.ASCII,
)
EXAMPLE = "2026-01-31T09:30:00Z"


def parse_instant(text: str) -> datetime:
    """The instant in UTC. Raises `ValueError`, which says what is wrong, for anything else."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(f"is not an RFC 3339 instant such as {EXAMPLE}")
    if match["zone"] is None:
        raise ValueError(f"has no time zone; write an RFC 3339 instant such as {EXAMPLE}")
    microsecond = int(match["fraction"][:6].ljust(6, "0")) if match["fraction"] else 0
    try:
        moment = datetime.fromisoformat(match["moment"].upper())
        return moment.replace(microsecond=microsecond, tzinfo=_read_zone(match["zone"])).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a date and time of the years 1 to 9999 of UTC") from None


def format_instant(instant: datetime) -> str:
    """The instant in UTC, ending in Z, with as many digits after the point as it needs: none or six."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


@lru_cache(maxsize=2**10)
def _read_zone(text: str) -> timezone:
    """Cached, as the rows of a document have few zones between them."""
    if text in "Zz":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)
