"""Documents: a snapshot or a plan as JSON values, and a snapshot with its instant and backoff interval.

- A dumped document loads as equal models. A document that does not load reports every problem.
- Each field is read and checked on its own, so that one bad field hides no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar

from prebuilds.decision.actions import ActionType, ReconciliationActions
from prebuilds.decision.documents import converter
from prebuilds.decision.documents.json_text import Source, read_json
from prebuilds.decision.documents.rfc3339 import format_instant
from prebuilds.decision.plans.decisions import Decision, Withheld
from prebuilds.decision.plans.planning import Plan
from prebuilds.decision.snapshots import UNIQUE_KEYS, GlobalSnapshot, SnapshotDocument, find_duplicates
from prebuilds.errors import InvalidSnapshotError

_T = TypeVar("_T")


def load_document(source: Source) -> SnapshotDocument:
    value = read_json(source)
    if not isinstance(value, Mapping) or "snapshot" not in value:
        return SnapshotDocument(snapshot=_read(value, GlobalSnapshot, value))
    return _read(value, SnapshotDocument, value["snapshot"], "snapshot.")


def dump_snapshot(snapshot: GlobalSnapshot) -> dict[str, Any]:
    return converter.write(snapshot)


def dump_plan(plan: Plan) -> dict[str, Any]:
    return {
        "now": format_instant(plan.now),
        "next_change_at": _format_optional(plan.next_change_at),
        "orphans": plan.orphans,
        "decisions": [_dump_decision(decision) for decision in plan],
    }


def _read(value: Any, kind: type[_T], snapshot: Any, prefix: str = "") -> _T:
    """The value as a model. Duplicates are reported even if rows have other problems too."""
    try:
        return converter.read(value, kind)
    except InvalidSnapshotError as error:
        duplicates = (prefix + problem for problem in _find_duplicates(snapshot))
        raise InvalidSnapshotError(chain(error.problems, duplicates)) from None


def _find_duplicates(snapshot: Any) -> Iterator[str]:
    for collection, key in UNIQUE_KEYS.items():
        rows = snapshot.get(collection) if isinstance(snapshot, Mapping) else None
        if isinstance(rows, (list, tuple)):
            yield from find_duplicates(
                collection, key, [row.get(key) if isinstance(row, Mapping) else None for row in rows]
            )


def _dump_decision(decision: Decision) -> dict[str, Any]:
    withheld = decision.withheld
    return {
        "preset_id": decision.preset_id,
        "state": converter.write(decision.state),
        "actions": [_dump_action(action) for action in decision.actions],
        "withheld": [_dump_withheld(entry) for entry in withheld],
        **_dump_candidate(decision),
        "next_change_at": _format_optional(decision.next_change_at),
    }


def _dump_candidate(decision: Decision) -> dict[str, Any]:
    """Of a candidate: whether promoting it finds the pool full (R17)."""
    is_candidate = decision.snapshot.preset.template_version.is_candidate
    return {"candidate": {"is_filled": decision.is_filled}} if is_candidate else {}


def _dump_withheld(entry: Withheld) -> dict[str, Any]:
    """The reason and the action, and the budget's name if there is one."""
    budget = {"budget": entry.budget} if entry.budget else {}
    return {"reason": entry.reason.value, **budget, "action": _dump_action(entry.action)}


def _dump_action(action: ReconciliationActions) -> dict[str, Any]:
    """The type, and the values that this type needs."""
    if action.type is ActionType.CREATE:
        return {"type": "create", "create": action.create}
    if action.type is ActionType.DELETE:
        return {"type": "delete", "delete_ids": list(action.delete_ids)}
    if action.type is ActionType.BACKOFF:
        return {"type": "backoff", "backoff_until": _format_optional(action.backoff_until)}
    return {"type": "cancel_pending", **({"cancel": action.cancel} if action.cancel else {})}


def _format_optional(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)
