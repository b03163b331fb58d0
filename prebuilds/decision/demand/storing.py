"""A fit as JSON, so that every replica has the same, and reading it back. It needs no third-party package."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from math import isfinite
from typing import Any

import attrs

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.following import DemandFit
from prebuilds.decision.demand.model import DemandModel, Doubt
from prebuilds.decision.demand.rates import FadingRates
from prebuilds.decision.demand.seasons import WEEK_HOURS, Season
from prebuilds.decision.demand.state import DemandState
from prebuilds.decision.demand.steering import Steering
from prebuilds.errors import InvalidValueError

Reader = Callable[[Any, str], Any]


def dump_fit(fit: DemandFit) -> str:
    """The fit as JSON. `load_fit` gives an equal one."""
    return json.dumps(write_fit(fit))


def load_fit(text: str) -> DemandFit:
    """The fit from JSON. Raises `InvalidValueError`, which names the place in the document."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InvalidValueError("load_fit", "text", text[:50], f"JSON ({error})") from None
    return read_fit(document)


def read_fit(document: Any) -> DemandFit:
    """The fit from JSON values; see `load_fit`."""
    fit: DemandFit = _FIT(document, "")
    return fit


def write_fit(fit: DemandFit) -> dict[str, Any]:
    """The fit as JSON values. `read_fit` gives an equal one."""
    return attrs.asdict(fit, value_serializer=_serialize)


def _serialize(_: object, __: object, value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, tuple):
        return [_serialize(None, None, one) for one in value]
    return value.value if isinstance(value, Enum) else value


def _refuse(place: str, value: Any, allowed: str) -> InvalidValueError:
    return InvalidValueError("load_fit", place.removeprefix("."), value, allowed)


def _number(value: Any, place: str) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise _refuse(place, value, "a finite number")
    return float(value)


def _count(value: Any, place: str) -> int:
    if type(value) is not int or value < 0:
        raise _refuse(place, value, "a whole number of 0 or more")
    return value


def _duration(value: Any, place: str) -> timedelta:
    try:
        return timedelta(seconds=_number(value, place))
    except OverflowError:
        raise _refuse(place, value, "seconds of a timedelta") from None


def _doubt(value: Any, place: str) -> Doubt:
    try:
        return Doubt(value)
    except ValueError:
        raise _refuse(place, value, f"one of {', '.join(doubt.value for doubt in Doubt)}, or null") from None


def _given(value: Any, _: str) -> Any:
    """For fields that the model itself checks."""
    return value


def _optional(read: Reader) -> Reader:
    return lambda value, place: None if value is None else read(value, place)


def _tuple(read: Reader, least: int = 0, most: int = 2**31) -> Reader:
    def read_all(value: Any, place: str) -> tuple[Any, ...]:
        if type(value) is not list or not least <= len(value) <= most:
            raise _refuse(place, value, f"a list of {least if least == most else f'at least {least}'} values")
        return tuple(read(one, f"{place}[{index}]") for index, one in enumerate(value))

    return read_all


def _pair(value: Any, place: str) -> tuple[float, int]:
    at, count = _tuple(_given, 2, 2)(value, place)
    return _number(at, f"{place}[0]"), _count(count, f"{place}[1]")


def _record(kind: type[Any], **readers: Reader) -> Reader:
    """Reads an object with exactly the fields of a class. Those that are not named the class checks."""
    names = [field.name for field in attrs.fields(kind)]

    def read(value: Any, place: str) -> Any:
        if type(value) is not dict or set(value) != set(names):
            raise _refuse(place or "document", value, f"an object with the keys {', '.join(names)}")
        values = {name: readers.get(name, _given)(value[name], f"{place}.{name}") for name in names}
        try:
            return kind(**values)
        except InvalidValueError as error:
            raise _refuse(f"{place}.{error.field}", error.value, error.allowed) from None

    return read


_SEASON = _record(
    Season,
    claims=_tuple(_number, WEEK_HOURS, WEEK_HOURS),
    hours=_tuple(_number, WEEK_HOURS, WEEK_HOURS),
    all_claims=_number,
    all_hours=_number,
    weight=_number,
)
_STATE = _record(
    DemandState,
    season=_SEASON,
    hour=_number,
    counted=_count,
    usual=_tuple(_number, 3),
    rates=_record(FadingRates, at=_number, values=_tuple(_number, 9, 9)),
    steering=_record(Steering, at=_number, offset=_number),
    minute=_number,
    held=_tuple(_pair),
)
_AUTOSCALE = _record(Autoscale, lead_time=_duration, hold=_optional(_duration))
_MODEL = _record(
    DemandModel, autoscale=_AUTOSCALE, weights=_tuple(_number), spreads=_tuple(_number), doubt=_optional(_doubt)
)
_FIT = _record(DemandFit, model=_MODEL, state=_STATE)
