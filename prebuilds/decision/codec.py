"""Snapshots and plans to JSON and back.

- A document that loads makes exactly the models it was dumped from; one that does not load names every problem.
- Each field is read and checked on its own, so that one bad field hides no other.
- The work is done with cattrs, which comes with the extra `cli` and is imported when it is first needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import ModuleType
from typing import Any

from prebuilds.decision.actions import ActionType, ReconciliationActions
from prebuilds.decision.documents import SnapshotDocument, Source, read_json
from prebuilds.decision.planning import Decision, Plan
from prebuilds.decision.rfc3339 import format_instant
from prebuilds.decision.snapshots import GlobalSnapshot, find_duplicates
from prebuilds.errors import InvalidSnapshotError, MissingExtraError

_UNIQUE = {"presets": "id", "running": "id", "backoffs": "preset_id"}


def load_snapshot(source: Source) -> GlobalSnapshot:
    """The snapshot in a JSON document: a path, an open file, or a dict that has been parsed already.

    Raises `InvalidSnapshotError` with every problem and its path in the document, `OSError` for a path that cannot be
    read, and `MissingExtraError` without the extra `cli`.
    """
    return load_document(source).snapshot


def load_document(source: Source) -> SnapshotDocument:
    """The snapshot in a JSON document with the `now` and the backoff interval it may come with; see `load_snapshot`."""
    value = read_json(source)
    wire = _import_wire()
    if not isinstance(value, Mapping) or "snapshot" not in value:
        return SnapshotDocument(snapshot=_read(wire, value, GlobalSnapshot, value))
    document: SnapshotDocument = _read(wire, value, SnapshotDocument, value["snapshot"], "snapshot.")
    return document


def dump_snapshot(snapshot: GlobalSnapshot) -> dict[str, Any]:
    """The snapshot as a dict of JSON values; `load_snapshot` makes an equal snapshot of it."""
    document: dict[str, Any] = _import_wire().write(snapshot)
    return document


def dump_plan(plan: Plan) -> dict[str, Any]:
    """The plan as a dict of JSON values, its decisions in the presets' order."""
    wire = _import_wire()
    return {
        "now": format_instant(plan.now),
        "next_change_at": _format_optional(plan.next_change_at),
        "orphans": plan.orphans,
        "decisions": [_dump_decision(wire, decision) for decision in plan],
    }


def _read(wire: ModuleType, value: Any, kind: type, snapshot: Any, prefix: str = "") -> Any:
    """The value as a model. What is given twice is told even where rows are wrong in other ways too."""
    try:
        return wire.read(value, kind)
    except InvalidSnapshotError as error:
        duplicates = [prefix + problem for problem in _find_duplicates(snapshot)]
        raise InvalidSnapshotError(tuple(dict.fromkeys([*error.problems, *duplicates]))) from None


def _find_duplicates(snapshot: Any) -> Iterator[str]:
    for collection, key in _UNIQUE.items():
        rows = snapshot.get(collection) if isinstance(snapshot, Mapping) else None
        if isinstance(rows, (list, tuple)):
            yield from find_duplicates(collection, key, [row.get(key) for row in rows if isinstance(row, Mapping)])


def _dump_decision(wire: ModuleType, decision: Decision) -> dict[str, Any]:
    withheld = decision.withheld
    return {
        "preset_id": decision.preset_id,
        "state": wire.write(decision.state),
        "actions": [_dump_action(action) for action in decision.actions],
        "withheld": [{"reason": entry.reason.value, "action": _dump_action(entry.action)} for entry in withheld],
        "next_change_at": _format_optional(decision.next_change_at),
    }


def _dump_action(action: ReconciliationActions) -> dict[str, Any]:
    """The type, and what that type alone needs to know."""
    if action.type is ActionType.CREATE:
        return {"type": "create", "create": action.create}
    if action.type is ActionType.DELETE:
        return {"type": "delete", "delete_ids": list(action.delete_ids)}
    if action.type is ActionType.BACKOFF:
        return {"type": "backoff", "backoff_until": _format_optional(action.backoff_until)}
    return {"type": "cancel_pending"}


def _format_optional(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _import_wire() -> ModuleType:
    try:
        from prebuilds.decision import wire
    except ModuleNotFoundError as error:
        if error.name != "cattrs":
            raise
        raise MissingExtraError("cattrs", "cli") from error
    return wire
