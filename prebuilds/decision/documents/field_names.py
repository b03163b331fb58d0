"""The names of the models' fields in a document, and which models are flat there.

In a document a preset is one flat object that includes the fields of its template version and its template.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import attrs
from cattrs.errors import ForbiddenExtraKeysError

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.limits import Backoff
from prebuilds.decision.models import InProgress, Prebuild, Preset, Template, TemplateVersion
from prebuilds.decision.schedules.schedule import Schedule
from prebuilds.decision.snapshots import GlobalSnapshot, SnapshotDocument
from prebuilds.decision.state import ReconciliationState

# Keys that differ from the field's name.
_KEYS: dict[type, dict[str, str]] = {
    Template: {"id": "template_id", "name": "template_name"},
    TemplateVersion: {
        "id": "template_version_id",
        "name": "template_version_name",
        "is_active": "using_active_version",
        "template": "(template)",  # in brackets: never a key of a document, see _FLAT
    },
    Schedule: {"lead": "lead_seconds"},
    Preset: {
        "ttl": "ttl_seconds",
        "template_version": "(template_version)",
        "ready_deadline": "ready_deadline_seconds",
        "build_deadline": "build_deadline_seconds",
        "refresh_ahead": "refresh_ahead_seconds",
    },
    Autoscale: {"lead_time": "lead_time_seconds", "hold": "hold_seconds"},
    SnapshotDocument: {"backoff_interval": "backoff_interval_seconds"},
}
# Models that have no object of their own in JSON: their keys are in the object of their parent.
_FLAT = {Preset: ("template_version", TemplateVersion), TemplateVersion: ("template", Template)}

# Keys that came after 0.1. They are left out where they have their default, so that 0.1 reads what it can express.
_LATER_KEYS: dict[type, frozenset[str]] = {
    TemplateVersion: frozenset(("is_candidate",)),
    Preset: frozenset(
        ("ready_deadline", "build_deadline", "precedence", "ttl_jitter", "refresh_ahead", "max_surge", "autoscale")
    ),
    Prebuild: frozenset(("started_at",)),
    InProgress: frozenset(("ids", "overdue", "began_at")),
    Backoff: frozenset(("failed_attempts", "failure", "message")),
    GlobalSnapshot: frozenset(("limits", "foreground", "recent_starts", "demand")),
    ReconciliationState: frozenset(("stuck", "overdue", "aging", "delete_above", "demand", "expected_claims", "price")),
    Schedule: frozenset(("starts_on", "ends_on", "dates", "except_on", "lead")),
}


def is_later(kind: type, name: str) -> bool:
    """Whether the key of this field is left out where the field has its default."""
    return name in _LATER_KEYS.get(kind, ())


def get_key(kind: type, name: str) -> str:
    """The key of a model's field in a document."""
    return _KEYS.get(kind, {}).get(name, name)


@cache
def _list_keys(kind: type) -> frozenset[str]:
    """The keys of all fields of this model, those of its flat part included."""
    name, part = _FLAT.get(kind, ("", None))
    own = {get_key(kind, field.name) for field in attrs.fields(kind)} - {get_key(kind, name)}
    return frozenset(own | (_list_keys(part) if part else frozenset()))


def is_flat(kind: type, name: str) -> bool:
    """Whether the keys of the model in this field are in the object of its parent."""
    return name in _FLAT.get(kind, ())


def nest(kind: type, value: dict[str, Any]) -> dict[str, Any]:
    """The object, with the keys of its flat part moved into an inner object."""
    if kind not in _FLAT:
        return value
    name, part = _FLAT[kind]
    if get_key(kind, name) in value:
        raise ForbiddenExtraKeysError(None, kind, {get_key(kind, name)})
    keys = _list_keys(part)
    own = {key: entry for key, entry in value.items() if key not in keys}
    return {**own, get_key(kind, name): {key: entry for key, entry in value.items() if key in keys}}


def flatten(kind: type, value: dict[str, Any]) -> dict[str, Any]:
    """The reverse of `nest`."""
    if kind not in _FLAT:
        return value
    name, _ = _FLAT[kind]
    flat: dict[str, Any] = {}
    for key, entry in value.items():
        flat.update(entry if key == get_key(kind, name) else {key: entry})
    return flat
