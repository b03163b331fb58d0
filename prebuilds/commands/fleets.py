"""Fleet files: the presets that `run` keeps, and how long its builds take.

The file is a snapshot's document. Its presets are the whole fleet: those of the store that it does not have are given
up, so that their prebuilds are deleted. What runs is known to the store; what the file says of it is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from prebuilds.commands.streams import get_source
from prebuilds.decision.codec import load_document
from prebuilds.decision.fields import MAX_DURATION
from prebuilds.decision.jsontext import read_json
from prebuilds.decision.models import Preset
from prebuilds.errors import InvalidSnapshotError, show
from prebuilds.runtime.ports import Transaction

_MOST = MAX_DURATION // timedelta(seconds=1)


@attrs.frozen(kw_only=True)
class FleetFile:
    """What a fleet file says. `ignored` has the collections in it that `run` does not read."""

    presets: tuple[Preset, ...]
    delay: timedelta
    ignored: tuple[str, ...]


def load_fleet(file: str) -> FleetFile:
    """Raises `InvalidSnapshotError` with every problem, and `OSError`."""
    return parse_fleet(read_json(get_source(file)))


def parse_fleet(document: Any) -> FleetFile:
    """The same of a document that has been read. Raises `InvalidSnapshotError` with every problem."""
    builder = document.get("builder", {}) if isinstance(document, Mapping) and "snapshot" in document else {}
    problems = [*_list_builder_problems(builder)]
    try:
        snapshot = load_document(document if isinstance(document, Mapping) else {"snapshot": document}).snapshot
    except InvalidSnapshotError as error:
        raise InvalidSnapshotError([*error.problems, *problems]) from None
    if problems:
        raise InvalidSnapshotError(problems)
    rows = ("running", "in_progress", "pending", "backoffs", "hard_limited")
    return FleetFile(
        presets=snapshot.presets,
        delay=timedelta(seconds=builder.get("delay_seconds", 0)),
        ignored=tuple(name for name in rows if getattr(snapshot, name)),
    )


def _list_builder_problems(builder: Any) -> Iterator[str]:
    if not isinstance(builder, Mapping):
        yield f"builder: {show(builder)} is not allowed; it must be an object"
        return
    for key in builder.keys() - {"delay_seconds"}:
        yield f"builder.{key}: unknown key"
    delay = builder.get("delay_seconds", 0)
    if type(delay) not in (int, float) or not 0 <= delay <= _MOST:
        yield f"builder.delay_seconds: {show(delay)} is not allowed; it must be a number of seconds from 0 to {_MOST}"


def put_fleet(tx: Transaction, presets: Sequence[Preset]) -> None:
    """Make these the presets of the store, and keep what the loop and its users have noted about them."""
    noted = {preset.id: preset for preset in tx.list_presets()}
    for preset in presets:
        tx.put_preset(_keep_notes(preset, noted.pop(preset.id, None)))
    for preset in noted.values():
        tx.put_preset(attrs.evolve(preset, template_version=attrs.evolve(preset.template_version, is_active=False)))


def _keep_notes(preset: Preset, known: Preset | None) -> Preset:
    if known is None:
        return preset
    instants = [at for at in (preset.last_invalidated_at, known.last_invalidated_at) if at]
    return attrs.evolve(preset, prebuild_status=known.prebuild_status, last_invalidated_at=max(instants, default=None))
