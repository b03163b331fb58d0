"""Models made without checks, from values that have been checked already.

A plan makes several models for each preset, and checks would take most of its time. Only `decision` may do this, the
code that reads rows which this library wrote, and a simulation, which makes its prebuilds itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs

from prebuilds.decision.models import Prebuild

_M = TypeVar("_M")


def make_factory(kind: type[_M], fields: Sequence[str]) -> Callable[..., _M]:
    """A function that makes a frozen model from the values of all its fields, without converters and validators.

    `fields` names the fields in the order of the values. Raises `TypeError` when it does not name all of them. The
    function raises it when a call has too few or too many values.
    """
    expected = [field.name for field in attrs.fields(kind)]  # type: ignore[arg-type]
    if sorted(fields) != sorted(expected):
        raise TypeError(f"{kind.__name__} has the fields {', '.join(expected)}; named are {', '.join(fields)}")
    names: dict[str, Any] = {"_new": object.__new__, "_kind": kind, "_open": _open(kind)}
    exec(_write_factory(kind.__name__, fields), names)  # noqa: S102 - as attrs writes `__init__`
    factory: Callable[..., _M] = names[kind.__name__]
    return factory


def _open(kind: type[Any]) -> type[Any]:
    """A class of the same layout that is not frozen: its instances can be turned into those of the model."""
    setters = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(kind.__name__, (kind,), {"__slots__": (), **setters})


def _write_factory(name: str, fields: Sequence[str]) -> str:
    """Plain assignments to slots are the fastest that Python has: a third of the time of the slots' own setters."""
    lines = [f"_model.{field} = {field}" for field in fields]
    body = ["_model = _new(_open)", *lines, "_model.__class__ = _kind", "return _model"]
    return "\n    ".join([f"def {name}({', '.join(fields)}):", *body])


make_prebuild = make_factory(
    Prebuild,
    (
        *("id", "name", "preset_id", "template_id", "template_version_id"),
        *("parameters", "created_at", "ready", "retired", "started_at"),
    ),
)
