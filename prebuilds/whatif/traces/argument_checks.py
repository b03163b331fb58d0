"""Checks of arguments. A wrong one raises `InvalidValueError`, which names the function and the argument."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from prebuilds.decision.fields import MAX_COUNT, MAX_DURATION
from prebuilds.errors import InvalidValueError
from prebuilds.whatif.traces.lead_times import LeadTime, to_lead_time
from prebuilds.whatif.traces.number_checks import is_number
from prebuilds.whatif.traces.on_miss import OnMiss, to_on_miss
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR, TICKS_PER_SECOND, count_ticks
from prebuilds.whatif.traces.trace import Trace

LARGEST_SEED = 2**63 - 1
_SECOND = timedelta(seconds=1)
_MOST = 10**12  # keeps every sum of products finite


def require_trace(place: str, value: Any) -> Trace:
    if not isinstance(value, Trace):
        raise InvalidValueError(place, "trace", value, "a Trace")
    return value


def require_lead_time(place: str, value: Any) -> LeadTime:
    """A lead time. A timedelta becomes a fixed one."""
    lead_time = to_lead_time(value)
    if not isinstance(lead_time, LeadTime):
        allowed = f"a timedelta from 0 to {MAX_DURATION.days} days, or a lead time such as LognormalLeadTime"
        raise InvalidValueError(place, "lead_time", value, allowed)
    return lead_time


def require_on_miss(place: str, value: Any) -> OnMiss:
    """A member of `OnMiss`, or its value."""
    on_miss = to_on_miss(value)
    if not isinstance(on_miss, OnMiss):
        raise InvalidValueError(place, "on_miss", value, " or ".join(repr(member.value) for member in OnMiss))
    return on_miss


def require_ticks(place: str, name: str, value: Any) -> int:
    """A duration, in microseconds."""
    if not isinstance(value, timedelta) or not timedelta() <= value <= MAX_DURATION:
        raise InvalidValueError(place, name, value, f"a timedelta from 0 to {MAX_DURATION.days} days")
    return count_ticks(value)


def require_seconds(place: str, name: str, value: Any) -> float:
    """A duration, in seconds."""
    return require_ticks(place, name, value) / TICKS_PER_SECOND


def require_interval(place: str, name: str, value: Any) -> float:
    """A duration of a second or more, in seconds."""
    if not isinstance(value, timedelta) or not _SECOND <= value <= MAX_DURATION:
        raise InvalidValueError(place, name, value, f"a timedelta from 1 second to {MAX_DURATION.days} days")
    return value.total_seconds()


def require_count(place: str, name: str, value: Any) -> int:
    """A number of prebuilds."""
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise InvalidValueError(place, name, value, f"a whole number from 0 to {MAX_COUNT}")
    return value


def require_sizes(place: str, value: Iterable[int]) -> tuple[int, ...]:
    """Pool sizes, sorted and without duplicates."""
    sizes = tuple(value) if isinstance(value, Iterable) else ()
    for index, size in enumerate(sizes):
        if type(size) is not int or not 0 <= size <= MAX_COUNT:
            raise InvalidValueError(place, f"sizes[{index}]", size, f"a whole number from 0 to {MAX_COUNT}")
    if not sizes:
        raise InvalidValueError(place, "sizes", value, "an iterable of one size or more")
    return tuple(sorted(set(sizes)))


def require_share(place: str, name: str, value: Any) -> float:
    """A hit rate: a number above 0, up to 1."""
    if not is_number(value) or not 0 < value <= 1:
        raise InvalidValueError(place, name, value, "a number above 0, up to 1")
    return float(value)


def require_percentage(place: str, name: str, value: Any) -> float:
    """A number from 0 to just below 100."""
    if not is_number(value) or not 0 <= value < 100:
        raise InvalidValueError(place, name, value, "a number of 0 or more, below 100")
    return float(value)


def require_amount(place: str, name: str, value: Any) -> float:
    """A cost or a load: a number of 0 or more."""
    return _require_number(place, name, value, _MOST)


def require_rate(place: str, name: str, value: Any) -> float:
    """Claims an hour: a number of 0 or more, up to one claim in each microsecond."""
    return _require_number(place, name, value, TICKS_PER_HOUR)


def _require_number(place: str, name: str, value: Any, most: int) -> float:
    if not is_number(value) or not 0 <= value <= most:
        raise InvalidValueError(place, name, value, f"a number from 0 to {most:,}")
    return float(value)


def require_seed(place: str, value: Any) -> int:
    """A seed of a random source."""
    if type(value) is not int or abs(value) > LARGEST_SEED:
        raise InvalidValueError(place, "seed", value, f"a whole number from {-LARGEST_SEED} to {LARGEST_SEED}")
    return value
