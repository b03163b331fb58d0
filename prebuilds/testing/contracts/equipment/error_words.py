"""Values in the words of an error: short, on one line, and where two of them differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

import attrs

from prebuilds.errors import show

_E = TypeVar("_E", bound=Exception)
_MOST = 3  # rows shown of a collection


class Mismatch(AssertionError):  # noqa: N818 - never leaves this package: it becomes a `BrokenContractError`
    """What was seen is not what the rule says."""


def expect(seen: object, expected: object, what: str) -> None:
    """Raises `Mismatch` unless both are equal. Compares all collections as tuples."""
    seen, expected = _to_tuple(seen), _to_tuple(expected)
    if seen != expected:
        told = "; ".join(_list_differences(seen, expected, ""))
        raise Mismatch(f"{what}: {told}")


def expect_raises(error: type[_E], function: Callable[[], object], what: str) -> _E:
    """Call the function, and return the error of this type that it raises. Raises `Mismatch` if it returns."""
    try:
        result = function()
    except error as raised:
        return raised
    raise Mismatch(f"{what}: {describe(result)} was returned; expected was that {error.__name__} is raised")


def describe(value: object) -> str:
    """The value in few words. Of a model, only the fields that are not the default."""
    if attrs.has(type(value)):
        return f"{type(value).__name__}({', '.join(_describe_fields(value))})"
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix("+00:00")
    if isinstance(value, (tuple, list)):
        shown = [describe(row) for row in value[:_MOST]]
        more = [f"and {len(value) - _MOST} more"] if len(value) > _MOST else []
        return f"[{', '.join([*shown, *more])}]"
    return show(value)


def _describe_fields(model: object) -> Iterator[str]:
    for field in _list_fields(model):
        value = getattr(model, field.name)
        if field.init and value != field.default:
            yield f"{field.name}={describe(value)}"


def _list_fields(model: Any) -> Sequence[attrs.Attribute[Any]]:
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(type(model))
    return fields


def _list_differences(seen: object, expected: object, place: str) -> Iterator[str]:
    """Where two values differ. Goes down into models of one class, and into collections of one length."""
    if attrs.has(type(seen)) and type(seen) is type(expected):
        for field in _list_fields(seen):
            pair = getattr(seen, field.name), getattr(expected, field.name)
            if pair[0] != pair[1]:
                yield from _list_differences(*pair, f"{place}.{field.name}" if place else field.name)
    elif isinstance(seen, tuple) and isinstance(expected, tuple) and len(seen) == len(expected):
        for number, pair in enumerate(zip(seen, expected, strict=True)):
            if pair[0] != pair[1]:
                yield from _list_differences(*pair, f"{place}[{number}]")
    else:
        yield f"{place + ' is ' if place else ''}{describe(seen)}; expected was {describe(expected)}"


def _to_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else value
