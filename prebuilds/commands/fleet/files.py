"""Fleet files: the presets that `run` keeps, and how long its builds take.

The file is a snapshot's document. Its presets are the whole fleet: other presets in the store become inactive, and
their prebuilds are deleted. Its budgets are put into the store, where other budgets stay. The store knows what is
running, so rows of the file about that are ignored.

A preset may have an invalidation in the store, from `invalidate`, and another in the file, say for tonight. It has room
for one: see `choose_invalidation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from prebuilds.commands.console.streams import get_source
from prebuilds.decision.codec import load_document
from prebuilds.decision.documents.json_text import read_json
from prebuilds.decision.fields import MAX_DURATION
from prebuilds.decision.models import Preset
from prebuilds.decision.policies.budgets import Budget
from prebuilds.decision.presets import set_stage
from prebuilds.decision.snapshots import find_duplicates
from prebuilds.decision.wording import describe_instant
from prebuilds.errors import InvalidSnapshotError, show
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.ports import Transaction

_MOST = MAX_DURATION // timedelta(seconds=1)


@attrs.frozen(kw_only=True)
class FleetFile:
    """The content of a fleet file. `ignored` names the collections in it that `run` does not use."""

    presets: tuple[Preset, ...]
    budgets: tuple[Budget, ...] = ()
    delay: timedelta
    ignored: tuple[str, ...]


def load_fleet(file: str) -> FleetFile:
    """Raises `InvalidSnapshotError` with every problem, and `OSError`."""
    return parse_fleet(read_json(get_source(file)))


def parse_fleet(document: Any) -> FleetFile:
    """Read a fleet from parsed JSON. Raises `InvalidSnapshotError` with every problem."""
    builder = document.get("builder", {}) if isinstance(document, Mapping) and "snapshot" in document else {}
    problems = [*_list_builder_problems(builder)]
    try:
        loaded = load_document(document if isinstance(document, Mapping) else {"snapshot": document})
    except InvalidSnapshotError as error:
        raise InvalidSnapshotError([*error.problems, *problems]) from None
    snapshot, budgets = loaded.snapshot, loaded.budgets
    problems += find_duplicates("budgets", "scope and key", [budget.name for budget in budgets])
    if problems:
        raise InvalidSnapshotError(problems)
    rows = ("running", "in_progress", "pending", "backoffs", "hard_limited")
    return FleetFile(
        presets=snapshot.presets,
        budgets=budgets,
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


def put_fleet(tx: Transaction, presets: Sequence[Preset], *, now: datetime) -> Sequence[str]:
    """Make these the presets of the store. Keeps what the loop and its users have recorded about them.

    Returns a line for each invalidation in the file that was not recorded, because another comes first.
    """
    noted = {preset.id: preset for preset in tx.list_presets()}
    kept = [_keep_notes(tx, preset, noted.pop(preset.id, None), now) for preset in presets]
    for preset in kept:
        tx.put_preset(preset)
    for preset in noted.values():
        tx.put_preset(set_stage(preset))
    return [line for preset, put in zip(presets, kept, strict=True) for line in _list_postponed(preset, put, now)]


def _keep_notes(tx: Transaction, preset: Preset, known: Preset | None, now: datetime) -> Preset:
    if known is None:
        return preset
    instants = {at for at in (preset.last_invalidated_at, known.last_invalidated_at) if at}
    good = [workspace for workspace in tx.read_rows(select(preset.id)).prebuilds if not workspace.retired]
    oldest = min((workspace.created_at for workspace in good), default=None)
    return attrs.evolve(
        preset,
        prebuild_status=known.prebuild_status,
        last_invalidated_at=choose_invalidation(instants, oldest=oldest, now=now),
    )


def choose_invalidation(instants: Iterable[datetime], *, oldest: datetime | None, now: datetime) -> datetime | None:
    """Which of these invalidations a preset keeps, as it has room for one.

    `oldest` is when the oldest prebuild that is not retired was created. The latest past invalidation covers all before
    it. It is kept while there is a prebuild from before it, which no user may get any more. After that the next future
    one takes its place.
    """
    come = max((at for at in instants if at <= now), default=None)
    coming = min((at for at in instants if at > now), default=None)
    if come and oldest and oldest < come:
        return come
    return coming or come


def _list_postponed(preset: Preset, put: Preset, now: datetime) -> Iterator[str]:
    asked, noted = preset.last_invalidated_at, put.last_invalidated_at
    if asked and noted and asked > now and asked != noted:
        yield (
            f"{preset.id}: its invalidation at {describe_instant(asked)} was not recorded, because the one at "
            f"{describe_instant(noted)} comes first; load the file again after that."
        )
