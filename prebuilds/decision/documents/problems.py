"""Errors of cattrs as lines for people, each starting with its path in the document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from cattrs import AttributeValidationNote, IterableValidationNote
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

from prebuilds.decision.documents.field_names import get_key, is_flat
from prebuilds.errors import InvalidSnapshotError, InvalidValueError, shorten, show

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,60}")


def list_problems(error: Exception, path: str = "") -> Iterator[str]:
    """Every problem in an error of the converter, each starting with its path in the document."""
    if isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from list_problems(inner, path + _find_step(error.cl, inner))
    elif isinstance(error, ForbiddenExtraKeysError):
        for key in sorted(map(_show_key, error.extra_fields)):
            yield f"{_join(path, key)}: unknown key"
    elif isinstance(error, InvalidSnapshotError):
        for problem in error.problems:
            yield _join(path, problem)
    elif isinstance(error, InvalidValueError):
        yield f"{_join(path, error.field)}: {refuse(error.value, error.allowed)}"
    elif isinstance(error, KeyError):
        yield f"{path.lstrip('.')}: missing"
    else:
        yield f"{path.lstrip('.') or 'document'}: {error}"


def refuse(value: Any, allowed: str) -> str:
    """The message for a value that is not allowed, in the words of JSON."""
    words = allowed.replace("True or False", "true or false").replace("or None", "or null")
    words = words.replace("a timedelta", "seconds,")
    return f"{show_json(value)} is not allowed; it must be {words}"


def show_json(value: Any) -> str:
    """The value as the document spells it, shortened."""
    try:
        return shorten(json.dumps(value))
    except (TypeError, ValueError, RecursionError):  # a dict with something in it that is not JSON
        return show(value)


def _find_step(kind: type, error: Exception) -> str:
    """The last step of the path to an error inside a value of this kind; empty for the value itself."""
    marks = (IterableValidationNote, AttributeValidationNote)
    notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, marks)]
    if not notes:
        return ""
    if isinstance(notes[0], IterableValidationNote):
        return f"[{notes[0].index}]"
    name = notes[0].name
    return "" if is_flat(kind, name) else f".{get_key(kind, name)}"


def _show_key(key: object) -> str:
    return key if isinstance(key, str) and _PLAIN_KEY.fullmatch(key) else show_json(key)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}".lstrip(".")
