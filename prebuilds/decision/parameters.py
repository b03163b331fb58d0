"""The parameters of a preset: names and values, kept in one order, so that equal parameters compare equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prebuilds.decision.fields import check, is_text, to_tuple

Parameters = tuple[tuple[str, str], ...]
"""Names and values, sorted by name. A field of this type accepts any mapping."""


def _is_parameters(value: Any) -> bool:
    return type(value) is tuple and (not value or _are_pairs(value))


def _are_pairs(pairs: tuple[Any, ...]) -> bool:
    are_texts = all(type(pair) is tuple and len(pair) == 2 and all(map(is_text, pair)) for pair in pairs)
    return are_texts and len({name for name, _ in pairs}) == len(pairs)


def to_parameters(value: Any) -> Any:
    if type(value) is tuple and not value:  # almost always
        return value
    pairs = to_tuple(value.items() if isinstance(value, Mapping) else value)
    return tuple(sorted(pairs)) if _is_parameters(pairs) else value


def to_optional_parameters(value: Any) -> Any:
    return None if value is None else to_parameters(value)


PARAMETERS = check("a mapping of parameter names to values, both text", _is_parameters)
