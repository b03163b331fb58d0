"""The state of a store's pools, as the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from prebuilds.commands.fleet.notes import list_budget_notes, list_notes
from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.plans.planning import plan
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.wording import describe_count
from prebuilds.runtime.loop.fleet_reading import read_fleet
from prebuilds.runtime.models import Counter
from prebuilds.runtime.ports import Isolation, Store

HEADERS = ("preset", "want", "ready", "run", "start", "del", "made", "claimed", "missed", "failed")
NUMBERS = HEADERS[1:]
_COUNTED = (Counter.CREATED, Counter.CLAIMED, Counter.CLAIM_MISSED, Counter.FAILED)


class View(NamedTuple):
    """The decision on each preset, its row of the table with a style, and notes."""

    decisions: Sequence[Decision]
    rows: Sequence[tuple[Sequence[str], str]]
    notes: Sequence[str]


def read_view(store: Store, *, now: datetime, policy: Policy) -> View:
    """The state of the pools at `now`, read in one transaction."""
    with store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
        fleet = read_fleet(tx, now=now, policy=policy)
        counters = {(entry.preset_id, entry.counter): entry.value for entry in tx.list_counters()}
    made = plan(fleet.snapshot, now=now, policy=fleet.policy, paused=fleet.is_paused)
    rows = []
    for decision in made:
        counted = [counters.get((decision.preset_id, counter), 0) for counter in _COUNTED]
        rows.append((_list_cells(decision, counted), _choose_style(decision)))
    leftovers = (
        [f"{describe_count(len(fleet.leftovers), 'failed prebuild')} left to delete."] if fleet.leftovers else []
    )
    notes = [note for decision in made for note in list_notes(decision)]
    waiting = list_budget_notes(made, fleet.policy.budgets)
    return View(made.decisions, rows, [*notes, *waiting, *leftovers, *made.caveats])


def _list_cells(decision: Decision, counted: Sequence[int]) -> Sequence[str]:
    state = decision.state
    counts = (state.desired, state.eligible, state.actual, state.starting, state.deleting, *counted)
    return (decision.preset_id, *map(str, counts))


def _choose_style(decision: Decision) -> str:
    state = decision.state
    return "dim" if not decision.snapshot.preset.is_wanted else "" if state.eligible >= state.desired else "yellow"
