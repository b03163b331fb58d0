"""How each model stands in a document: its keys, and how a JSON value becomes a field.

The one module here that imports cattrs; `codec` imports it when a document is first read or written.

- The rules for a value are the model's own: every field is put to the check that guards it in the model.
- In a document a preset is flat; its template version and its template are objects only as models.
- A failure is a cattrs error that knows its place; `read` turns it into lines that begin with a path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import AttributeValidationNote, Converter, IterableValidationNote
from cattrs.errors import (
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
)
from cattrs.gen import (
    make_dict_structure_fn,
    make_dict_unstructure_fn,
    override,
)

from prebuilds.decision.fields import (
    ID_ALLOWED,
    MAX_DURATION,
    Validator,
    is_id,
)
from prebuilds.decision.models import (
    Backoff,
    InProgress,
    Parameters,
    Pending,
    Prebuild,
    Preset,
    Schedule,
    Template,
    TemplateVersion,
)
from prebuilds.decision.rfc3339 import EXAMPLE, format_instant, parse_instant
from prebuilds.decision.snapshots import GlobalSnapshot, SnapshotDocument
from prebuilds.decision.state import ReconciliationState
from prebuilds.errors import InvalidSnapshotError, InvalidValueError, shorten, show

_T = TypeVar("_T")
_E = TypeVar("_E", bound=Enum)

_MICROSECOND = 0.000001
MAX_PROBLEMS = 1_000  # in one collection; whoever has more has given something else than a snapshot


# Where a key differs from the field's name.
_KEYS: dict[type, dict[str, str]] = {
    Template: {"id": "template_id", "name": "template_name"},
    TemplateVersion: {
        "id": "template_version_id",
        "name": "template_version_name",
        "is_active": "using_active_version",
        "template": "(template)",  # in brackets, what no document has: see _FLAT
    },
    Preset: {"ttl": "ttl_seconds", "template_version": "(template_version)"},
    SnapshotDocument: {"backoff_interval": "backoff_interval_seconds"},
}
# What is an object as a model and lies flat in its parent's object as JSON.
_FLAT = {Preset: ("template_version", TemplateVersion), TemplateVersion: ("template", Template)}
_ROWS = (Preset, Schedule, Prebuild, InProgress, Pending, Backoff)
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,60}")


def read(value: Any, kind: type[_T]) -> _T:
    """The JSON value as a model. Raises `InvalidSnapshotError` with every problem."""
    try:
        return _get_converter().structure(value, kind)
    except (BaseValidationError, ForbiddenExtraKeysError, ValueError) as error:
        raise InvalidSnapshotError(tuple(_list_problems(error))) from None


def write(model: Any) -> dict[str, Any]:
    """The model as an object of JSON values."""
    document: dict[str, Any] = _get_converter().unstructure(model)
    return document


@lru_cache(maxsize=1)
def _get_converter() -> Converter:
    converter = Converter(detailed_validation=True)
    for plain in (str, int, bool):
        converter.register_structure_hook(plain, lambda value, _: value)  # the field's check decides
    converter.register_structure_hook(datetime, lambda value, _: _read_instant(value))
    converter.register_structure_hook(timedelta, lambda value, _: _read_seconds(value))
    converter.register_structure_hook_func(_is_enum, _read_member)
    converter.register_structure_hook_func(_is_rows, lambda value, kind: _read_rows(converter, value, kind))
    converter.register_structure_hook_func(_is_parameters, lambda value, _: _require_object(value))
    converter.register_unstructure_hook(datetime, format_instant)
    converter.register_unstructure_hook(timedelta, _write_seconds)
    converter.register_unstructure_hook_func(_is_rows, lambda rows: [converter.unstructure(row) for row in rows])
    converter.register_unstructure_hook_func(_is_parameters, dict)
    for kind in (Template, TemplateVersion, *_ROWS, GlobalSnapshot, SnapshotDocument, ReconciliationState):
        _register(converter, kind)
    return converter


def _list_problems(error: Exception, path: str = "") -> Iterator[str]:
    """Every problem in an error of the converter, each led by its path in the document."""
    if isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from _list_problems(inner, path + _find_step(error.cl, inner))
    elif isinstance(error, ForbiddenExtraKeysError):
        for key in sorted(map(_show_key, error.extra_fields)):
            yield f"{_join(path, key)}: unknown key"
    elif isinstance(error, InvalidSnapshotError):
        for problem in error.problems:
            yield _join(path, problem)
    elif isinstance(error, KeyError):
        yield f"{path.lstrip('.')}: missing"
    else:
        yield f"{path.lstrip('.') or 'document'}: {error}"


def _refuse(value: Any, allowed: str) -> str:
    words = allowed.replace("True or False", "true or false").replace("or None", "or null")
    return f"{show_json(value)} is not allowed; it must be {words}"


def show_json(value: Any) -> str:
    """The value as it stands in the document, shortened."""
    try:
        return shorten(json.dumps(value))
    except (TypeError, ValueError, RecursionError):  # given as a dict, with something in it that is no JSON
        return show(value)


def _find_step(kind: type, error: Exception) -> str:
    """The last step of the path to an error that occurred within a value of this kind; none for the value itself."""
    marks = (IterableValidationNote, AttributeValidationNote)
    notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, marks)]
    if not notes:
        return ""
    if isinstance(notes[0], IterableValidationNote):
        return f"[{notes[0].index}]"
    name = notes[0].name
    return "" if name in _FLAT.get(kind, ()) else f".{_get_key(kind, name)}"


def _show_key(key: object) -> str:
    return key if isinstance(key, str) and _PLAIN_KEY.fullmatch(key) else show_json(key)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}".lstrip(".")


def _register(converter: Converter, kind: type) -> None:
    """Teach the converter how this model stands in a document."""
    attrs.resolve_types(kind)
    fields = [field for field in attrs.fields(kind) if field.init]
    overrides: dict[str, Any] = {field.name: _make_override(converter, kind, field) for field in fields}
    # A wrapped document may say more than is read here; a row may not, as a misspelt key would be lost in silence.
    is_strict = kind is not SnapshotDocument
    structure: Callable[[Any, Any], Any] = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=is_strict, **overrides
    )
    unstructure: Callable[[Any], Any] = make_dict_unstructure_fn(kind, converter, **overrides)
    converter.register_structure_hook(kind, lambda value, _: structure(_nest(kind, _require_object(value)), kind))
    converter.register_unstructure_hook(kind, lambda model: _flatten(kind, unstructure(model)))


def _make_override(converter: Converter, kind: type, field: attrs.Attribute[Any]) -> Any:
    parse = converter.get_structure_hook(field.type)
    validate: Validator = cast("Validator", field.validator)

    def read(value: Any, _: object) -> Any:
        parsed = parse(value, field.type)
        converted = field.converter(parsed) if callable(field.converter) else parsed
        try:
            validate(None, field, converted)
        except InvalidValueError as error:
            raise ValueError(_refuse(value, error.allowed)) from None
        return converted

    return override(rename=_get_key(kind, field.name), struct_hook=read)


def _get_key(kind: type, name: str) -> str:
    return _KEYS.get(kind, {}).get(name, name)


def _list_keys(kind: type) -> frozenset[str]:
    """All keys at which this model's own fields and those of its flat part stand."""
    name, part = _FLAT.get(kind, ("", None))
    own = {_get_key(kind, field.name) for field in attrs.fields(kind)} - {_get_key(kind, name)}
    return frozenset(own | (_list_keys(part) if part else frozenset()))


def _nest(kind: type, value: dict[str, Any]) -> dict[str, Any]:
    """The object with the keys of its flat part moved into an object of their own."""
    if kind not in _FLAT:
        return value
    name, part = _FLAT[kind]
    keys = _list_keys(part)
    own = {key: entry for key, entry in value.items() if key not in keys}
    return {**own, _get_key(kind, name): {key: entry for key, entry in value.items() if key in keys}}


def _flatten(kind: type, value: dict[str, Any]) -> dict[str, Any]:
    """The reverse of `_nest`."""
    if kind not in _FLAT:
        return value
    name, _ = _FLAT[kind]
    flat: dict[str, Any] = {}
    for key, entry in value.items():
        flat.update(entry if key == _get_key(kind, name) else {key: entry})
    return flat


def _require_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(_refuse(value, "an object"))
    return dict(value)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _is_parameters(kind: Any) -> bool:
    return bool(kind == Parameters)


def _is_rows(kind: Any) -> bool:
    return get_origin(kind) is tuple and not _is_parameters(kind)


def _read_rows(converter: Converter, value: Any, kind: Any) -> tuple[Any, ...]:
    """Each element of a list; the first `MAX_PROBLEMS` that fail are all reported, and no more are read."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(_refuse(value, "a list"))
    row_kind = get_args(kind)[0]
    read_row = _read_id if row_kind is str else converter.get_structure_hook(row_kind)
    rows, errors = [], []
    for index, entry in enumerate(value):
        try:
            rows.append(read_row(entry, row_kind))
        except (BaseValidationError, ForbiddenExtraKeysError, ValueError) as error:
            error.__dict__["__notes__"] = [IterableValidationNote("", index, row_kind)]
            errors.append(error)
        if len(errors) == MAX_PROBLEMS:
            errors.append(ValueError(f"{MAX_PROBLEMS} entries are wrong so far; the rest was not read"))
            break
    if errors:
        raise IterableValidationError("", errors, kind)
    return tuple(rows)


def _read_id(value: Any, _: object) -> str:
    if not is_id(value):
        raise ValueError(_refuse(value, ID_ALLOWED))
    return str(value)


def _read_instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError(f"{show_json(value)} is not an RFC 3339 instant such as {EXAMPLE}")
    try:
        return parse_instant(value)
    except ValueError as error:
        raise ValueError(f"{show_json(value)} {error}") from None


def _read_seconds(value: Any) -> timedelta:
    most = MAX_DURATION // timedelta(seconds=1)
    # What rounds to zero is refused, as a ttl of zero means for ever.
    if type(value) not in (int, float) or not (value == 0 or _MICROSECOND <= value <= most):
        raise ValueError(_refuse(value, f"0 or a number of seconds from 0.000001 to {most}, or null"))
    return timedelta(seconds=value)


def _write_seconds(value: timedelta) -> int | float:
    return value.total_seconds() if value.microseconds else value // timedelta(seconds=1)


def _read_member(value: Any, kind: type[_E]) -> _E:
    members = {member.value: member for member in kind}
    if not isinstance(value, str) or value not in members:
        raise ValueError(_refuse(value, f"one of {', '.join(members)}"))
    return members[value]
