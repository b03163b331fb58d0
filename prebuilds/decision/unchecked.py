"""Models made without checks, from values that have been checked already.

A plan makes several models for each preset, and checks would take most of its time. Only `decision` may do this, and
the code that reads rows which this library wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

_M = TypeVar("_M")


class UncheckedFactory(Generic[_M]):
    """Makes a frozen model from the values of all its fields, without converters and validators.

    The factory names the fields in the order of the values. Raises `TypeError` when it does not name all of them, and
    when a call has too few or too many values.
    """

    def __init__(self, kind: type[_M], fields: Sequence[str]) -> None:
        expected = [field.name for field in attrs.fields(kind)]  # type: ignore[arg-type]
        if sorted(fields) != sorted(expected):
            raise TypeError(f"{kind.__name__} has the fields {', '.join(expected)}; named are {', '.join(fields)}")
        self._kind = kind
        self._setters = tuple([getattr(kind, name).__set__ for name in fields])
        self._count = len(fields)

    def __call__(self, *values: object) -> _M:
        if len(values) != self._count:
            raise TypeError(f"{self._kind.__name__} is made from {self._count} values, not from {len(values)}")
        instance = object.__new__(self._kind)
        for setter, value in zip(self._setters, values):  # noqa: B905 - counted above, which is faster than `strict`
            setter(instance, value)
        return instance
