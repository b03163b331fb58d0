"""What a field of a model may hold: one `Check` for each kind of value, and the converters that go before them.

- A check never changes a value and never accepts a value of a look-alike type: True is not a count, 3.0 is not either.
- Instants are held in UTC. Two datetimes of one DST zone compare by wall clock, which is wrong in a fold; UTC never is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

import attrs

from prebuilds.errors import InvalidValueError

UTC = timezone.utc
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters and lone surrogates
MAX_COUNT = 2**31 - 1
MAX_DURATION = timedelta(days=36_525)  # a century; up to there, seconds as a float keep every microsecond
MAX_TEXT = 500
FIRST_NOW = datetime(1, 1, 2, tzinfo=UTC)  # a day off either end of what a datetime holds,
LAST_NOW = datetime(9999, 12, 30, tzinfo=UTC)  # so that every time zone can express it


@attrs.frozen
class Check:
    """An attrs validator that says what is allowed. `accepts(value)` decides."""

    allowed: str
    accepts: Callable[[Any], bool]

    def __call__(self, instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not self.accepts(value):
            raise InvalidValueError(type(instance).__name__, attribute.name, value, self.allowed)


def optional(check: Check) -> Check:
    return Check(f"{check.allowed}, or None", lambda value: value is None or check.accepts(value))


def instance_of(kind: type) -> Check:
    return Check(f"a {kind.__name__}", lambda value: isinstance(value, kind))


def member_of(kind: type[Enum]) -> Check:
    names = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
    return Check(f"one of {names}", lambda value: isinstance(value, kind))


def tuple_of(kind: type) -> Check:
    kinds = frozenset((kind,))
    return Check(
        f"a collection of {kind.__name__}", lambda value: type(value) is tuple and kinds.issuperset(map(type, value))
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and _UNPRINTABLE.search(value) is None


def _is_cron(value: Any) -> bool:
    return isinstance(value, str) and _is_text(value.replace("\t", " "))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT


def _is_duration(value: Any) -> bool:
    return isinstance(value, timedelta) and timedelta() <= value <= MAX_DURATION


def _is_instant(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is UTC


FLAG = Check("True or False", lambda value: type(value) is bool)
TEXT = Check(f"text of at most {MAX_TEXT} characters, none of them a control character", _is_text)
CRON = Check(f"five cron fields, in at most {MAX_TEXT} characters", _is_cron)
ID = Check(f"text of 1 to {MAX_TEXT} characters, none of them a control character", lambda value: _is_text(value) and value != "")
COUNT = Check(f"a whole number from 0 to {MAX_COUNT}", _is_count)
TOTAL = Check("a whole number of 0 or more", lambda value: type(value) is int and value >= 0)
DURATION = Check("a timedelta from 0 to 36525 days", _is_duration)
INSTANT = Check("a datetime with a time zone, in the years 1 to 9999 of UTC", _is_instant)
NOW = Check(
    f"a datetime with a time zone, from {FIRST_NOW.date()} to {LAST_NOW.date()}",
    lambda value: _is_instant(value) and FIRST_NOW <= value <= LAST_NOW,
)


def to_utc(value: Any) -> Any:
    """The same instant in UTC; whatever is no aware datetime is left for the check to refuse."""
    if not isinstance(value, datetime) or value.tzinfo is UTC or value.utcoffset() is None:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return value


def to_tuple(value: Any) -> Any:
    """Any iterable but a str or a mapping as a tuple; whatever else is left for the check to refuse."""
    if isinstance(value, tuple) or not isinstance(value, Iterable) or isinstance(value, (str, bytes, dict)):
        return value
    return tuple(value)


def require_instant(place: str, name: str, value: datetime, check: Check = INSTANT) -> datetime:
    """An argument of a function as an instant in UTC. Raises `InvalidValueError`, naming the place, if it is none."""
    instant: datetime = to_utc(value)
    if not check.accepts(instant):
        raise InvalidValueError(place, name, value, check.allowed)
    return instant


def require_now(place: str, now: datetime) -> datetime:
    """The `now` of a function in UTC. Raises `InvalidValueError` for one that no decision can be taken at."""
    return require_instant(place, "now", now, NOW)
