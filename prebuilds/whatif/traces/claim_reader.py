"""Reads the instants of claims, as people, files and databases write them, and collects what it cannot read.

- An instant has an offset from UTC, as RFC 3339 or PostgreSQL write it, or is a time on the wall clock of a zone that
  the caller names. If the clock shows that time twice, or never, the reader does not guess.
- Rows with the same fault are one problem. It names the first row, the number of others, and a few of them.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import Any

from prebuilds.decision.documents.rfc3339 import EXAMPLE, parse_instant
from prebuilds.decision.fields import FIRST_NOW, LAST_NOW, UTC
from prebuilds.errors import show
from prebuilds.whatif.traces.local_time import require_zone
from prebuilds.whatif.traces.ticks import FIRST_TICK, LAST_TICK, to_ticks

_LISTED = 4  # rows that one problem names, including the first
_WALL_CLOCK = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?", re.ASCII)
_NO_ZONE = f"has no time zone; name it with `timezone` (`--timezone`), or write an instant such as {EXAMPLE}"


class ClaimReader:
    """Reads claims as ticks, and collects the problems of those that it cannot read.

    `timezone` is the zone of claims without an offset; with None, each claim needs its offset. Raises
    `InvalidValueError`, which names the place, for an unknown zone.
    """

    def __init__(self, place: str, timezone: str | None) -> None:
        self._zone = None if timezone is None else require_zone(place, timezone)
        self._bad: dict[str, _BadRows] = {}

    def read(self, place: str, claim: Any) -> int | None:
        """The claim in microseconds since 1970, or None, with a problem added, if it cannot be read."""
        try:
            ticks = to_ticks(_read_instant(claim, self._zone))
            if FIRST_TICK <= ticks <= LAST_TICK:
                return ticks
            self.reject(place, show(claim), f"is not from {FIRST_NOW.date()} to {LAST_NOW.date()}")
        except ValueError as error:
            self.reject(place, show(claim), str(error))
        return None

    def reject(self, place: str, value: str, reason: str) -> None:
        """Note that a row cannot be used."""
        self._bad.setdefault(reason, _BadRows()).add(f"{place}: {value}")

    @property
    def problems(self) -> list[str]:
        """A line for each kind of fault, in the order of their first rows."""
        return [rows.describe(reason) for reason, rows in self._bad.items()]


class _BadRows:
    """The rows with one kind of fault: how many, and the first few."""

    def __init__(self) -> None:
        self._count = 0
        self._first: list[str] = []

    def add(self, row: str) -> None:
        self._count += 1
        if len(self._first) < _LISTED:
            self._first.append(row)

    def describe(self, reason: str) -> str:
        first, *others = self._first
        if not others:
            return f"{first} {reason}"
        more = self._count - 1
        told = ", ".join([*others, *(["..."] if more > len(others) else [])])
        return f"{first} {reason}; {more:,} more {'rows' if more > 1 else 'row'} like this: {told}"


def _read_instant(claim: Any, zone: tzinfo | None) -> datetime:
    """The instant of a claim. Raises `ValueError`, which says what is wrong and what to write."""
    if isinstance(claim, str):
        return _read_text(claim, zone)
    # NaT of pandas is a datetime that, like NaN, does not equal itself.
    if not isinstance(claim, datetime) or claim != claim:  # noqa: PLR0124
        raise ValueError("is neither a datetime nor an RFC 3339 text")
    return claim if claim.utcoffset() is not None else _read_wall_clock(claim, zone)


def _read_text(text: str, zone: tzinfo | None) -> datetime:
    try:
        return parse_instant(text)  # almost always, and fast
    except ValueError:
        is_wall_clock = _WALL_CLOCK.fullmatch(text) is not None
    if is_wall_clock:
        return _read_wall_clock(parse_instant(f"{text}Z"), zone)
    return parse_instant(_complete_offset(text))


def _complete_offset(text: str) -> str:
    """The text with its offset as RFC 3339 wants it, such as +00:00. PostgreSQL writes +00."""
    if text[-3:-2] in ("+", "-"):
        return f"{text}:00"
    return f"{text[:-2]}:{text[-2:]}" if text[-5:-4] in ("+", "-") else text


def _read_wall_clock(shown: datetime, zone: tzinfo | None) -> datetime:
    """The only instant at which the clock of the zone shows this time."""
    if zone is None:
        raise ValueError(_NO_ZONE)
    clock = datetime.combine(shown.date(), shown.time())
    try:
        first, second = (clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    except OverflowError:
        raise ValueError("is not a date and time of the years 1 to 9999 of UTC") from None
    if first == second:
        return first
    if first.astimezone(zone).replace(tzinfo=None) != clock:
        raise ValueError(f"does not exist in {zone}: the clock is put forward over it")
    offsets = " or ".join(f"{at.astimezone(zone):%z}" for at in (first, second))
    raise ValueError(f"comes twice in {zone}, because the clock is put back; add its offset, {offsets}")
