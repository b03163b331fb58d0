"""What a field of a model may hold: a validator for each kind of value, and the converters that run before them.

- A validator never changes a value and never accepts a look-alike: neither True nor 3.0 is a count.
- Instants are kept in UTC. Two datetimes in one DST zone compare by wall clock, which is wrong when clocks go back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from math import inf
from typing import Any

import attrs

from prebuilds.errors import InvalidValueError

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]

UTC = timezone.utc
MAX_COUNT = 2**31 - 1
MAX_DURATION = timedelta(days=36_525)  # a century; seconds as a float are exact to the microsecond up to here
MAX_TEXT = 500
MAX_DATES = 300  # too few to keep two windows apart for good that meet again and again
FIRST_NOW = datetime(1, 1, 2, tzinfo=UTC)  # a day from either end of what a datetime holds,
LAST_NOW = datetime(9999, 12, 30, tzinfo=UTC)  # so that every time zone can express it
# Control characters, characters that break lines or change the writing direction, and lone surrogates.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def check(allowed: str, accepts: Callable[[Any], bool]) -> Validator:
    """An attrs validator that raises `InvalidValueError` unless `accepts` is true; `allowed` says what is, in words."""

    # A closure: calling an object's __call__ takes twice as long, and each row runs several validators.
    def validate(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not accepts(value):
            raise InvalidValueError(type(instance).__name__, attribute.name, value, allowed)

    return validate


def optional(validator: Validator) -> Validator:
    """The same, but also allows None."""

    def validate(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is not None:
            try:
                validator(instance, attribute, value)
            except InvalidValueError as error:
                raise InvalidValueError(error.model, error.field, value, f"{error.allowed}, or None") from None

    return validate


def instance_of(kind: type) -> Validator:
    """An instance of a class or of a subclass."""
    return check(f"a {kind.__name__}", lambda value: isinstance(value, kind))


def member_of(kind: type[Enum]) -> Validator:
    """A member of an enumeration."""
    return check(describe_members(kind), lambda value: isinstance(value, kind))


def describe_members(kind: type[Enum]) -> str:
    """The members of an enumeration, as the words for what is allowed."""
    return f"one of {', '.join(f'{kind.__name__}.{member.name}' for member in kind)}"


def tuple_of(kind: type) -> Validator:
    """A tuple of instances of a class. The message says collection, as `to_tuple` runs first."""
    is_kind = frozenset((kind,)).issuperset
    is_tuple = check(f"a collection of {kind.__name__}", lambda value: type(value) is tuple)

    def validate(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        is_tuple(instance, attribute, value)
        if is_kind(map(type, value)):  # almost always, and fast
            return
        for index, element in enumerate(value):
            if not isinstance(element, kind):
                place = f"{attribute.name}[{index}]"
                raise InvalidValueError(type(instance).__name__, place, element, f"a {kind.__name__}")

    return validate


def is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and _is_clean(value)


def is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and _is_clean(value)


def _is_clean(value: str) -> bool:
    # What Python calls printable has none of them, and is found faster; not all that it calls unprintable is refused.
    return value.isprintable() or UNPRINTABLE.search(value) is None


def is_instant(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is UTC


def _is_cron(value: Any) -> bool:
    return isinstance(value, str) and is_text(value.replace("\t", " "))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT


def _is_duration(value: Any) -> bool:
    return isinstance(value, timedelta) and timedelta() <= value <= MAX_DURATION


def is_date(value: Any) -> bool:
    return type(value) is date


def is_amount(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < inf


def _is_dates(value: Any) -> bool:
    return type(value) is tuple and len(value) <= MAX_DATES and all(map(is_date, value))


def _is_now(value: Any) -> bool:
    return is_instant(value) and FIRST_NOW <= value <= LAST_NOW


_CHARACTERS = f"{MAX_TEXT} characters, none of them a control character"
ID_ALLOWED = f"text of 1 to {_CHARACTERS}"
INSTANT_ALLOWED = "a datetime with a time zone, in the years 1 to 9999 of UTC"
DATE_ALLOWED = "a date without a time of day, such as 2026-12-25"
_NOW_ALLOWED = f"a datetime with a time zone, from {FIRST_NOW.date()} to {LAST_NOW.date()}"

FLAG = check("True or False", lambda value: type(value) is bool)
TEXT = check(f"text of at most {_CHARACTERS}", is_text)
ID = check(ID_ALLOWED, is_id)
CRON = check(f"five cron fields, in at most {MAX_TEXT} characters", _is_cron)
COUNT = check(f"a whole number from 0 to {MAX_COUNT}", _is_count)
POSITIVE = check(f"a whole number from 1 to {MAX_COUNT}", lambda value: _is_count(value) and value > 0)
TOTAL = check("a whole number of 0 or more", lambda value: type(value) is int and value >= 0)
DURATION = check(f"a timedelta from 0 to {MAX_DURATION.days} days", _is_duration)
DATE = check(DATE_ALLOWED, is_date)
DATES = check(f"a collection of at most {MAX_DATES} dates, without times of day", _is_dates)
POSITIVE_DURATION = check(
    f"a timedelta of more than 0 and up to {MAX_DURATION.days} days", lambda value: _is_duration(value) and bool(value)
)
SHARE = check("a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1)
AMOUNT = check("a number of 0 or more", is_amount)
INSTANT = check(INSTANT_ALLOWED, is_instant)
DISTINCT_IDS = check(
    "a collection of distinct ids",
    lambda value: type(value) is tuple and all(map(is_id, value)) and len(set(value)) == len(value),
)
NOW = check(_NOW_ALLOWED, _is_now)


def to_utc(value: Any) -> Any:
    """The same instant in UTC. Anything but an aware datetime is returned as it is, for the validator to refuse."""
    if not isinstance(value, datetime) or value.tzinfo is UTC or value.utcoffset() is None:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return value


def to_tuple(value: Any) -> Any:
    """Any iterable except text, bytes and mappings as a tuple. Others are returned as they are, for the validator."""
    if isinstance(value, tuple) or not isinstance(value, Iterable) or isinstance(value, (str, bytes, Mapping)):
        return value
    return tuple(value)


def require_instant(place: str, name: str, value: datetime) -> datetime:
    """The instant of an argument, in UTC, checked to be a valid `now`. Raises `InvalidValueError`, naming the place."""
    instant: datetime = to_utc(value)
    if not _is_now(instant):
        raise InvalidValueError(place, name, value, _NOW_ALLOWED)
    return instant
