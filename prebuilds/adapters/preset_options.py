"""The optional fields of a preset as one JSON object, for adapters that keep them in a single column.

- A field that has its default is left out, so that a preset without options is `{}`.
- Durations are whole microseconds, so that they come back exactly as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import attrs

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.models import Preset
from prebuilds.decision.schedules.schedule import Precedence

_MICROSECOND = timedelta(microseconds=1)


class _Way(NamedTuple):
    """How a value becomes JSON, and comes back."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _write_autoscale(value: Autoscale) -> dict[str, Any]:
    fields = attrs.asdict(value).items()
    return {name: one // _MICROSECOND if isinstance(one, timedelta) else one for name, one in fields}


def _read_autoscale(value: Mapping[str, Any]) -> Autoscale:
    durations = {name: value[name] * _MICROSECOND for name in ("lead_time", "hold") if value[name] is not None}
    return Autoscale(**{**value, **durations})


_DURATION = _Way(lambda value: value // _MICROSECOND, lambda value: value * _MICROSECOND)
_PLAIN = _Way(lambda value: value, lambda value: value)
_OPTIONS = {
    "ready_deadline": _DURATION,
    "build_deadline": _DURATION,
    "ttl_jitter": _PLAIN,
    "refresh_ahead": _DURATION,
    "max_surge": _PLAIN,
    "precedence": _Way(lambda value: value.value, Precedence),
    "autoscale": _Way(_write_autoscale, _read_autoscale),
}
_DEFAULTS = {field.name: field.default for field in attrs.fields(Preset) if field.name in _OPTIONS}


def write_options(preset: Preset) -> dict[str, Any]:
    """The options of a preset that differ from their defaults, as JSON values."""
    values = {name: getattr(preset, name) for name in _OPTIONS}
    return {name: _OPTIONS[name].write(value) for name, value in values.items() if value != _DEFAULTS[name]}


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of `write_options`: arguments for a `Preset`."""
    return {name: _OPTIONS[name].read(value) for name, value in options.items()}
