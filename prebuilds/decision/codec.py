"""Snapshots and plans to JSON and back: the public functions.

The work is done in `documents`, with cattrs from the extra `cli`. It is imported when a document is first read or
written, so importing the library does not load cattrs.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from prebuilds.decision.plans.planning import Plan
from prebuilds.decision.snapshots import GlobalSnapshot, SnapshotDocument
from prebuilds.errors import MissingExtraError

if TYPE_CHECKING:
    from prebuilds.decision.documents.json_text import Source


def load_snapshot(source: Source) -> GlobalSnapshot:
    """The snapshot in a JSON document: a path, an open file, or a parsed dict.

    Raises `InvalidSnapshotError` with every problem and its path in the document, `OSError` for a path that cannot be
    read, and `MissingExtraError` without the extra `cli`.
    """
    return load_document(source).snapshot


def load_document(source: Source) -> SnapshotDocument:
    """The snapshot in a JSON document, with its `now` and backoff interval if it has them; see `load_snapshot`."""
    document: SnapshotDocument = _import_loading().load_document(source)
    return document


def dump_snapshot(snapshot: GlobalSnapshot) -> dict[str, Any]:
    """The snapshot as a dict of JSON values; `load_snapshot` turns it back into an equal snapshot."""
    document: dict[str, Any] = _import_loading().dump_snapshot(snapshot)
    return document


def dump_plan(plan: Plan) -> dict[str, Any]:
    """The plan as a dict of JSON values, with the decisions in the presets' order."""
    document: dict[str, Any] = _import_loading().dump_plan(plan)
    return document


def _import_loading() -> ModuleType:
    try:
        from prebuilds.decision.documents import loading
    except ModuleNotFoundError as error:
        if error.name != "cattrs":
            raise
        raise MissingExtraError("cattrs", "cli") from error
    return loading
