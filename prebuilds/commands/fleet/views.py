"""The state of a store's pools, as the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from prebuilds.decision.actions import ActionType
from prebuilds.decision.plans.decisions import Decision
from prebuilds.decision.plans.explaining import explain_withholding
from prebuilds.decision.plans.planning import plan
from prebuilds.decision.plans.withholding import WithheldReason
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.policies.waiting import can_probe
from prebuilds.decision.targets import describe_fallback
from prebuilds.decision.wording import describe_count, describe_instant
from prebuilds.runtime.loop.fleet import read_fleet
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
    made = plan(fleet.snapshot, now=now, policy=policy, paused=fleet.is_paused)
    rows = []
    for decision in made:
        counted = [counters.get((decision.preset_id, counter), 0) for counter in _COUNTED]
        rows.append((_list_cells(decision, counted), _choose_style(decision)))
    leftovers = (
        [f"{describe_count(len(fleet.leftovers), 'failed prebuild')} left to delete."] if fleet.leftovers else []
    )
    notes = [note for decision in made for note in _list_notes(decision)]
    return View(made.decisions, rows, [*notes, *leftovers, *made.caveats])


def describe_second(instant: datetime) -> str:
    """The instant, rounded up to whole seconds."""
    begun = instant.replace(microsecond=0)
    return describe_instant(begun if begun == instant else begun + timedelta(seconds=1))


def _list_cells(decision: Decision, counted: Sequence[int]) -> Sequence[str]:
    state = decision.state
    counts = (state.desired, state.eligible, state.actual, state.starting, state.deleting, *counted)
    return (decision.preset_id, *map(str, counts))


def _choose_style(decision: Decision) -> str:
    state = decision.state
    return "dim" if not decision.snapshot.preset.is_active else "" if state.eligible >= state.desired else "yellow"


def _list_notes(decision: Decision) -> Sequence[str]:
    waits = [
        f"{decision.preset_id} backs off until {describe_second(action.backoff_until)}."
        for action in decision.actions
        if action.type is ActionType.BACKOFF and action.backoff_until
    ]
    error = decision.state.target_error
    fallback = [f"{describe_fallback(decision.preset_id, error)}."] if error else []
    return [*_list_limits(decision), *waits, *fallback]


def _list_limits(decision: Decision) -> Sequence[str]:
    """Why the preset creates nothing: its builds keep failing, or there is no capacity."""
    name, snapshot, policy = decision.preset_id, decision.snapshot, decision.policy
    if snapshot.is_hard_limited:
        ends = "a probe succeeds or it is reset" if can_probe(snapshot, policy) else "it is reset"
        why = explain_withholding(snapshot, policy, WithheldReason.HARD_LIMITED)
        return [f"{name} is hard-limited: it creates nothing until {ends}{why}."]
    why = explain_withholding(snapshot, policy, WithheldReason.CAPACITY)
    return [f"{name} creates nothing now{why}."] if why else []
