"""Hypothesis strategies for the plain values in models, and what the strategies of models share.

- Values crowd around the edges where decisions turn: the ttl to the microsecond, a backoff's end, a window's hour.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from prebuilds.decision.fields import UNPRINTABLE
from prebuilds.decision.models import BuildStatus
from prebuilds.decision.policies.failures import FailureClass

_T = TypeVar("_T")

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
)
"""Zones with whole, half and quarter hours, with and without daylight saving."""

SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
NOTHING = timedelta()
TTLS = (timedelta(seconds=60), timedelta(hours=1), timedelta(hours=1, microseconds=500_000))
_MIN = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MAX = datetime(2100, 1, 1, tzinfo=timezone.utc)


def instants(*, min_value: datetime = _MIN, max_value: datetime = _MAX) -> st.SearchStrategy[datetime]:
    """Aware datetimes in UTC, from one aware bound to the other, both included. Raises `InvalidArgument` otherwise."""
    if min_value.utcoffset() is None or max_value.utcoffset() is None or min_value > max_value:
        raise InvalidArgument(f"{min_value=} and {max_value=} must be aware and in order")
    low, high = (bound.astimezone(timezone.utc).replace(tzinfo=None) for bound in (min_value, max_value))
    return st.datetimes(low, high, timezones=st.just(timezone.utc))


_CONTROLS = "".join(filter(UNPRINTABLE.search, map(chr, range(0x2000, 0x2070))))  # of lines and of directions


@cache
def ids() -> st.SearchStrategy[str]:
    """Ids: short text without control characters."""
    characters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters=_CONTROLS)
    return st.text(characters, min_size=1, max_size=8)


def check_now(now: datetime) -> None:
    """Raises `InvalidArgument` if `now` is naive, or out of the range of the strategies."""
    if now.utcoffset() is None or not _MIN <= now <= _MAX:
        raise InvalidArgument(f"{now=} must be aware and from {_MIN.date()} to {_MAX.date()}")


@cache
def ages() -> st.SearchStrategy[timedelta]:
    """Ages of up to two days, many of them a common ttl give or take two microseconds."""
    edges = st.tuples(st.sampled_from(TTLS), st.integers(-2, 2)).map(lambda pair: pair[0] + pair[1] * MICROSECOND)
    return st.one_of(edges, st.timedeltas(timedelta(), timedelta(days=2)))


@cache
def optional_ages() -> st.SearchStrategy[timedelta | None]:
    return st.none() | ages()


@cache
def backoff_ages() -> st.SearchStrategy[timedelta]:
    edges = st.tuples(st.integers(0, 5), st.integers(-2, 2))
    return st.one_of(ages(), edges.map(lambda pair: pair[0] * 60 * SECOND + pair[1] * MICROSECOND))


@cache
def counts() -> st.SearchStrategy[int]:
    return st.integers(0, 5)


@cache
def rarely() -> st.SearchStrategy[bool]:
    return st.sampled_from((False,) * 9 + (True,))


@cache
def seldom() -> st.SearchStrategy[bool]:
    return st.sampled_from((False,) * 19 + (True,))


@cache
def often() -> st.SearchStrategy[bool]:
    return st.sampled_from((False, True, True))


@cache
def few(prefix: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{prefix}{number}" for number in range(3)])


@cache
def statuses() -> st.SearchStrategy[BuildStatus]:
    return st.sampled_from([BuildStatus.FAILED, *list(BuildStatus)])


@cache
def failures() -> st.SearchStrategy[FailureClass]:
    return st.sampled_from([FailureClass.TRANSIENT, *list(FailureClass)])


@cache
def reasons() -> st.SearchStrategy[str]:
    return st.just("") | ids()


@cache
def parameters() -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(few("parameter "), ids(), max_size=2)


def sampled(*values: _T) -> st.SearchStrategy[_T]:
    strategy: st.SearchStrategy[_T] = _sample(values)
    return strategy


@cache
def _sample(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)
