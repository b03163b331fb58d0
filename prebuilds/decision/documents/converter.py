"""JSON values to models and models to JSON values, with cattrs.

- The rules for a value are the model's own: each field is checked by its validator in the model.
- Each field and each row is checked on its own, so that one problem hides no other.
- A failure is a cattrs error that knows its place; `read` turns it into lines that begin with a path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import Converter, IterableValidationNote
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError, IterableValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.following import DemandFit
from prebuilds.decision.demand.rows import Demand
from prebuilds.decision.demand.storing import read_fit, write_fit
from prebuilds.decision.documents.field_names import flatten, get_key, is_later, nest
from prebuilds.decision.documents.problems import list_problems, refuse, show_json
from prebuilds.decision.documents.rfc3339 import EXAMPLE, format_instant, parse_instant
from prebuilds.decision.fields import DATE_ALLOWED, ID_ALLOWED, MAX_DURATION, Validator, is_id
from prebuilds.decision.limits import Backoff, HardLimit
from prebuilds.decision.models import InProgress, Pending, Prebuild, Preset, Template, TemplateVersion
from prebuilds.decision.parameters import Parameters
from prebuilds.decision.policies.budgets import Budget, Foreground, RecentStarts
from prebuilds.decision.schedules.schedule import Schedule
from prebuilds.decision.snapshots import GlobalSnapshot, SnapshotDocument
from prebuilds.decision.state import ReconciliationState
from prebuilds.errors import MAX_PROBLEMS, InvalidSnapshotError, InvalidValueError

_T = TypeVar("_T")

_MICROSECOND = 0.000001
_ROWS = (
    *(Autoscale, Preset, Schedule, Prebuild, InProgress, Pending),  # what a preset has comes before it
    *(Backoff, HardLimit, Budget, Foreground, RecentStarts, Demand),
)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)


def read(value: Any, kind: type[_T]) -> _T:
    """The JSON value as a model. Raises `InvalidSnapshotError` with every problem."""
    try:
        return _get_converter().structure(value, kind)
    except (BaseValidationError, ForbiddenExtraKeysError, ValueError) as error:
        raise InvalidSnapshotError(list_problems(error)) from None


def write(model: Any) -> dict[str, Any]:
    """The model as an object of JSON values."""
    document: dict[str, Any] = _get_converter().unstructure(model)
    return document


@lru_cache(maxsize=1)
def _get_converter() -> Converter:
    converter = Converter(detailed_validation=True)
    for plain in (str, int, float, bool):
        converter.register_structure_hook(plain, lambda value, _: value)  # the field's validator decides
    converter.register_structure_hook(datetime, lambda value, _: _read_instant(value))
    converter.register_structure_hook(date, lambda value, _: _read_date(value))
    converter.register_structure_hook_func(_is_duration, _read_duration)
    converter.register_structure_hook_func(_is_rows, lambda value, kind: _read_rows(converter, value, kind))
    converter.register_structure_hook_func(_is_parameters, _read_parameters)
    converter.register_unstructure_hook(datetime, format_instant)
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_unstructure_hook(timedelta, _write_seconds)
    converter.register_unstructure_hook_func(_is_rows, lambda rows: [converter.unstructure(row) for row in rows])
    converter.register_unstructure_hook_func(_is_parameters, _write_parameters)
    converter.register_structure_hook(DemandFit, lambda value, _: read_fit(value))
    converter.register_unstructure_hook(DemandFit, write_fit)
    for kind in (Template, TemplateVersion, *_ROWS, GlobalSnapshot, SnapshotDocument, ReconciliationState):
        _register(converter, kind)
    return converter


def _register(converter: Converter, kind: type) -> None:
    """Teach the converter how a document spells this model."""
    attrs.resolve_types(kind)
    fields = [field for field in attrs.fields(kind) if field.init]
    overrides: dict[str, Any] = {field.name: _make_override(converter, kind, field) for field in fields}
    # A wrapped document may have other keys; a row may not, as a misspelt key would be lost in silence.
    is_strict = kind is not SnapshotDocument
    structure: Callable[[Any, Any], Any] = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=is_strict, **overrides
    )
    unstructure: Callable[[Any], Any] = make_dict_unstructure_fn(kind, converter, **overrides)
    converter.register_structure_hook(kind, lambda value, _: structure(nest(kind, _require_object(value)), kind))
    converter.register_unstructure_hook(kind, lambda model: flatten(kind, unstructure(model)))


def _make_override(converter: Converter, kind: type, field: attrs.Attribute[Any]) -> Any:
    parse: Callable[[Any, Any], Any] = converter.get_structure_hook(field.type)
    if _is_enum(field.type):  # old versions of cattrs prefer their own reader of enums to a registered one
        parse = _read_member
    validate: Validator = cast("Validator", field.validator)

    def read(value: Any, _: object) -> Any:
        parsed = parse(value, field.type)
        converted = field.converter(parsed) if callable(field.converter) else parsed
        try:
            validate(None, field, converted)
        except InvalidValueError as error:
            raise ValueError(refuse(value, error.allowed)) from None
        return converted

    is_omitted = is_later(kind, field.name)
    return override(rename=get_key(kind, field.name), struct_hook=read, omit_if_default=is_omitted)


def _require_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(refuse(value, "an object"))
    return dict(value)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _is_parameters(kind: Any) -> bool:
    return kind in (Parameters, Parameters | None)


def _read_parameters(value: Any, kind: Any) -> Any:
    return None if value is None and kind != Parameters else _require_object(value)


def _write_parameters(value: Parameters | None) -> dict[str, str] | None:
    return None if value is None else dict(value)


def _is_rows(kind: Any) -> bool:
    return get_origin(kind) is tuple and not _is_parameters(kind)


def _read_rows(converter: Converter, value: Any, kind: Any) -> tuple[Any, ...]:
    """The elements of a list. Reading stops when more of them are wrong than an error lists."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(refuse(value, "a list"))
    row_kind = get_args(kind)[0]
    read_row = _read_id if row_kind is str else converter.get_structure_hook(row_kind)
    rows, errors = [], []
    for index, entry in enumerate(value):
        try:
            rows.append(read_row(entry, row_kind))
        except (BaseValidationError, ForbiddenExtraKeysError, ValueError) as error:
            # Python 3.10 has no add_note; cattrs and its backport of exception groups read the same attribute.
            error.__dict__["__notes__"] = [IterableValidationNote("", index, row_kind)]
            errors.append(error)
        if len(errors) > MAX_PROBLEMS:
            break
    if errors:
        raise IterableValidationError("", errors, kind)
    return tuple(rows)


def _read_id(value: Any, _: object) -> str:
    if not is_id(value):
        raise ValueError(refuse(value, ID_ALLOWED))
    return str(value)


def _read_instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError(f"{show_json(value)} is not an RFC 3339 instant such as {EXAMPLE}")
    try:
        return parse_instant(value)
    except ValueError as error:
        raise ValueError(f"{show_json(value)} {error}") from None


def _read_date(value: Any) -> date:
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    try:
        return date(*map(int, match.groups() if match else ()))
    except (TypeError, ValueError):
        raise ValueError(refuse(value, DATE_ALLOWED)) from None


def _is_duration(kind: Any) -> bool:
    return kind in (timedelta, timedelta | None)


def _read_duration(value: Any, kind: Any) -> timedelta | None:
    is_optional = kind is not timedelta
    return None if value is None and is_optional else _read_seconds(value, ", or null" * is_optional)


def _read_seconds(value: Any, or_null: str) -> timedelta:
    most = MAX_DURATION // timedelta(seconds=1)
    # A number that rounds to zero is refused, as a ttl of zero means for ever.
    if type(value) not in (int, float) or not (value == 0 or _MICROSECOND <= value <= most):
        raise ValueError(refuse(value, f"0 or a number of seconds from 0.000001 to {most}{or_null}"))
    return timedelta(seconds=value)


def _write_seconds(value: timedelta) -> int | float:
    return value.total_seconds() if value.microseconds else value // timedelta(seconds=1)


def _read_member(value: Any, kind: Any) -> Enum:
    members: dict[str, Enum] = {member.value: member for member in kind}
    if not isinstance(value, str) or value not in members:
        raise ValueError(refuse(value, f"one of {', '.join(members)}"))
    return members[value]
