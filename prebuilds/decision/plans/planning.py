"""Planning: one decision for each preset of a snapshot, at one instant.

- A plan is a pure function of snapshot, instant, policy and pause. The same rows in any order give the same plan.
- What is decided and must not be done now is withheld with a reason (R11); what is left in `actions` is to be done.
- Counts, words, and when things change next are worked out only when asked for; no decision is taken from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from functools import cached_property

import attrs

from prebuilds.decision.actions import Actions, ActionType, ReconciliationActions, calculate_actions
from prebuilds.decision.changes import Change, find_next_change
from prebuilds.decision.fields import (
    FLAG,
    ID,
    NOW,
    Maker,
    instance_of,
    member_of,
    require_instant,
    to_tuple,
    to_utc,
    tuple_of,
)
from prebuilds.decision.models import Policy
from prebuilds.decision.plans.explaining import (
    describe_action,
    describe_change,
    describe_count,
    describe_instant,
    describe_orphans,
    explain_action,
    explain_idleness,
)
from prebuilds.decision.plans.rendering import render_table
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.snapshots import GlobalSnapshot, Orphans
from prebuilds.decision.state import ReconciliationState, calculate_state
from prebuilds.decision.targets import TargetSource, describe_fallback
from prebuilds.errors import InvalidValueError, UnknownPresetError


class WithheldReason(Enum):
    """Why an action is not to be done now."""

    PAUSED = "paused"
    """Reconciliation is paused: nothing is to be done."""
    HARD_LIMITED = "hard_limited"
    """The preset's builds keep failing: nothing is to be created until it is reset."""
    MAX_CREATES = "max_creates"
    """One pass creates at most `Policy.max_creates` prebuilds of a preset; later passes create the rest."""


@attrs.frozen(kw_only=True)
class Withheld:
    """An action that was decided and is not to be done now."""

    reason: WithheldReason = attrs.field(validator=member_of(WithheldReason))
    action: ReconciliationActions = attrs.field(validator=instance_of(ReconciliationActions))


@attrs.frozen(kw_only=True, eq=False)
class Decision:
    """What to do for one preset and what is withheld, with the snapshot and the policy it follows from.

    Two decisions are equal when they say the same of the same preset, in whatever order their rows came.
    """

    preset_id: str = attrs.field(validator=ID)
    actions: Actions = attrs.field(default=(), converter=to_tuple, validator=tuple_of(ReconciliationActions))
    withheld: tuple[Withheld, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Withheld))
    snapshot: PresetSnapshot = attrs.field(validator=instance_of(PresetSnapshot), repr=False)
    policy: Policy = attrs.field(validator=instance_of(Policy), repr=False)

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Decision) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        return self.preset_id, self.state, self.actions, self.withheld

    @cached_property
    def state(self) -> ReconciliationState:
        """The counts, for people, logs and metrics (R6)."""
        return calculate_state(self.snapshot)

    @cached_property
    def next_change(self) -> Change | None:
        """When, and why, this decision could differ with no new data (R12)."""
        return find_next_change(self.snapshot, self.policy)

    @property
    def next_change_at(self) -> datetime | None:
        """The instant of `next_change` alone."""
        return self.next_change.at if self.next_change else None

    @property
    def why(self) -> tuple[str, ...]:
        """A sentence for each action, done or withheld; one that says why there is nothing to do if there is none."""
        done = [explain_action(self.snapshot, self.policy, action) for action in self.actions]
        withheld = [
            f"withheld ({entry.reason.value}): {explain_action(self.snapshot, self.policy, entry.action)}"
            for entry in self.withheld
        ]
        return (*done, *withheld) or (explain_idleness(self.snapshot),)

    def explain(self) -> str:
        """The decision in plain words, a line for each action."""
        return "\n".join(f"{self.preset_id}: {sentence}" for sentence in self.why)


_make_decision = Maker(Decision)


@attrs.frozen(kw_only=True)
class Plan:
    """The decisions for all presets of a snapshot, in the presets' order, and how many rows named no preset."""

    now: datetime = attrs.field(converter=to_utc, validator=NOW)
    paused: bool = attrs.field(default=False, validator=FLAG)
    decisions: tuple[Decision, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Decision))
    orphaned: tuple[Orphans, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Orphans))

    def __iter__(self) -> Iterator[Decision]:
        return iter(self.decisions)

    def __len__(self) -> int:
        return len(self.decisions)

    @property
    def orphans(self) -> int:
        """How many rows of the snapshot name no known preset (R1); `orphaned` tells which."""
        return sum(orphans.count for orphans in self.orphaned)

    @property
    def next_change(self) -> Change | None:
        """When, and why, the first of the decisions could differ with no new data (R12)."""
        changes = [decision.next_change for decision in self.decisions if decision.next_change]
        return min(changes, key=lambda change: change.at, default=None)

    @property
    def next_change_at(self) -> datetime | None:
        """The instant of `next_change` alone."""
        change = self.next_change
        return change.at if change else None

    def for_preset(self, preset_id: str) -> Plan:
        """The plan with this preset's decision alone. Raises `UnknownPresetError`."""
        decisions = tuple(decision for decision in self.decisions if decision.preset_id == preset_id)
        if not decisions:
            raise UnknownPresetError(preset_id)
        return attrs.evolve(self, decisions=decisions)

    def explain(self) -> str:
        """The whole plan in plain words, a line for each action of each decision."""
        title = f"At {describe_instant(self.now)}, {describe_count(len(self), 'preset')}:"
        return "\n".join([title, *(decision.explain() for decision in self), *self.notes])

    @property
    def notes(self) -> tuple[str, ...]:
        """What concerns the plan as a whole: that it is paused, rows that name no preset, when it changes next."""
        change = self.next_change
        next_one = f"Next change {describe_change(change)}." if change else "No change by time alone."
        return (*self.hindrances, next_one)

    @property
    def hindrances(self) -> tuple[str, ...]:
        """What keeps the plan from doing or seeing everything: that it is paused, and rows that name no preset."""
        paused = ["Reconciliation is paused: nothing is to be done."] if self.paused else []
        return (*paused, *(f"{describe_orphans(orphans)}." for orphans in self.orphaned))

    def _repr_html_(self) -> str:
        return render_table(TABLE_HEADERS, [list_cells(decision) for decision in self], list_notes(self))


TABLE_HEADERS = ("preset", "desired", "actual", "expired", "eligible", "starting", "actions")


def list_cells(decision: Decision) -> tuple[str, ...]:
    """A decision as the cells of a table under `TABLE_HEADERS`."""
    state = decision.state
    is_plain = state.target_source is TargetSource.PRESET
    desired = f"{state.desired}" if is_plain else f"{state.desired} ({state.target_source.value})"
    done = [describe_action(action) for action in decision.actions]
    withheld = [f"withheld ({entry.reason.value}): {describe_action(entry.action)}" for entry in decision.withheld]
    counts = (state.actual, state.expired, state.eligible, state.starting)
    return (decision.preset_id, desired, *map(str, counts), ", ".join([*done, *withheld]) or "nothing")


def list_notes(plan: Plan) -> tuple[str, ...]:
    """What a table of the plan does not show: schedules that cannot be used, and the notes on the plan as a whole."""
    fallbacks = [
        f"{describe_fallback(decision.preset_id, decision.state.target_error)}."
        for decision in plan
        if decision.state.target_error
    ]
    return (*fallbacks, *plan.notes)


_DEFAULT_POLICY = Policy()


def plan(snapshot: GlobalSnapshot, *, now: datetime, policy: Policy = _DEFAULT_POLICY, paused: bool = False) -> Plan:
    """Decide for every preset of the snapshot, as of `now`.

    `now` is an aware datetime. While `paused`, every action is withheld. The creates of a hard-limited preset always
    are, and so is what goes beyond `policy.max_creates`. Costs time in proportion to the rows. Raises
    `InvalidValueError` for a `now` that is naive or out of range.
    """
    now = require_instant("plan", "now", now)
    if not isinstance(policy, Policy):
        raise InvalidValueError("plan", "policy", policy, "a Policy")
    return Plan(
        now=now,
        paused=paused,
        decisions=tuple([decide(preset, policy, paused=paused) for preset in snapshot.iterate_presets(now)]),
        orphaned=snapshot.orphaned,
    )


def decide(snapshot: PresetSnapshot, policy: Policy, *, paused: bool = False) -> Decision:
    """The decision for one preset, as a plan has it."""
    actions, withheld = _withhold(calculate_actions(snapshot, policy), snapshot, policy, paused=paused)
    return _make_decision(snapshot.preset.id, actions, withheld, snapshot, policy)


def _withhold(
    actions: Actions, snapshot: PresetSnapshot, policy: Policy, *, paused: bool
) -> tuple[Actions, tuple[Withheld, ...]]:
    """The actions to be done now, and those that are not, each with its reason (R11)."""
    if paused:
        return (), tuple([Withheld(reason=WithheldReason.PAUSED, action=action) for action in actions])
    if not actions or actions[-1].type is not ActionType.CREATE:  # a create comes last (R9)
        return actions, ()
    *others, create = actions
    if snapshot.is_hard_limited:
        return tuple(others), (Withheld(reason=WithheldReason.HARD_LIMITED, action=create),)
    if create.create > policy.max_creates:
        rest = Withheld(reason=WithheldReason.MAX_CREATES, action=_create(create.create - policy.max_creates))
        return (*others, _create(policy.max_creates)), (rest,)
    return actions, ()


def _create(count: int) -> ReconciliationActions:
    return ReconciliationActions(type=ActionType.CREATE, create=count)
