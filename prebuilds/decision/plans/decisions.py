"""A decision: what to do for one preset at one instant, and what must not be done now.

- What is decided but must not be done now is withheld, with the reason (R11). `actions` is what is left to do.
- Counts, words and the next change are calculated only when asked for. No decision depends on them.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

import attrs

from prebuilds.decision.actions import Actions, ActionType, ReconciliationActions, calculate_actions, make_create
from prebuilds.decision.fields import ID, INSTANT, instance_of, member_of, optional, to_tuple, to_utc, tuple_of
from prebuilds.decision.next_change import Change, find_next_change
from prebuilds.decision.plans.explaining import explain_action, explain_idleness, explain_withholding
from prebuilds.decision.plans.withholding import WithheldReason
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.policies.waiting import calculate_backoff_until, calculate_batch, is_probe_due, lacks_capacity
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.state import ReconciliationState, calculate_state, count_surge_room, is_filled
from prebuilds.decision.unchecked import make_factory


@attrs.frozen(kw_only=True)
class Withheld:
    """An action that was decided but must not be done now. With the reason BUDGET, `budget` names the budget."""

    reason: WithheldReason = attrs.field(validator=member_of(WithheldReason))
    action: ReconciliationActions = attrs.field(validator=instance_of(ReconciliationActions))
    budget: str = attrs.field(default="", validator=instance_of(str))

    @property
    def label(self) -> str:
        """The reason in words, with the budget if there is one: `budget template t-web`."""
        return f"{self.reason.value} {self.budget}".strip()


@attrs.frozen(kw_only=True, eq=False)
class Decision:
    """What to do for one preset and what is withheld, with the snapshot and the policy behind it.

    Two decisions are equal if they say the same about the same preset. The order of the rows does not matter.
    """

    preset_id: str = attrs.field(validator=ID)
    actions: Actions = attrs.field(default=(), converter=to_tuple, validator=tuple_of(ReconciliationActions))
    withheld: tuple[Withheld, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Withheld))
    snapshot: PresetSnapshot = attrs.field(validator=instance_of(PresetSnapshot), repr=False)
    policy: Policy = attrs.field(validator=instance_of(Policy), repr=False)
    refill_at: datetime | None = attrs.field(
        default=None, converter=to_utc, validator=optional(INSTANT), kw_only=True, repr=False
    )
    """When time alone adds to a budget that is used up."""

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
        """When this decision could differ without new data, and why (R12)."""
        return find_next_change(self.snapshot, self.policy, refill_at=self.refill_at)

    @property
    def next_change_at(self) -> datetime | None:
        """The instant of `next_change` alone."""
        return self.next_change.at if self.next_change else None

    @property
    def is_filled(self) -> bool:
        """Whether the pool is full. If the preset is a candidate, promoting its version now finds it so (R17)."""
        return is_filled(self.snapshot)

    @property
    def why(self) -> tuple[str, ...]:
        """A sentence for each action, withheld ones included; if there is none, one on why there is nothing to do."""
        done = [explain_action(self.snapshot, self.policy, action) for action in self.actions]
        withheld = [
            f"withheld ({entry.label}): {explain_action(self.snapshot, self.policy, entry.action)}"
            f"{explain_withholding(self.snapshot, self.policy, entry.reason)}"
            for entry in self.withheld
        ]
        return (*done, *withheld) or (explain_idleness(self.snapshot),)

    def explain(self) -> str:
        """The decision in plain words, a line for each action."""
        return "\n".join(f"{self.preset_id}: {sentence}" for sentence in self.why)


_make_decision = make_factory(Decision, ("preset_id", "actions", "withheld", "snapshot", "policy", "refill_at"))


_make_withheld = make_factory(Withheld, ("reason", "action", "budget"))


def decide(snapshot: PresetSnapshot, policy: Policy, *, paused: bool = False) -> Decision:
    """The decision for one preset."""
    actions, withheld = _withhold(calculate_actions(snapshot, policy), snapshot, policy, paused=paused)
    return _make_decision(snapshot.preset.id, actions, withheld, snapshot, policy, None)


def _withhold(
    actions: Actions, snapshot: PresetSnapshot, policy: Policy, *, paused: bool
) -> tuple[Actions, tuple[Withheld, ...]]:
    """The actions to do now, and the withheld ones, each with its reason (R11)."""
    if paused:
        return (), tuple([Withheld(reason=WithheldReason.PAUSED, action=action) for action in actions])
    if not actions or actions[-1].type is not ActionType.CREATE:  # a create comes last (R9)
        return actions, ()
    most, reason = _limit_creates(snapshot, policy)
    return split_create(actions, most, reason)


def _limit_creates(snapshot: PresetSnapshot, policy: Policy) -> tuple[int, WithheldReason]:
    """How many prebuilds a preset may create now, and why no more."""
    most, reason = _limit_attempts(snapshot, policy)
    room = count_surge_room(snapshot)
    return (most, reason) if room is None or most <= room else (room, WithheldReason.MAX_SURGE)


def _limit_attempts(snapshot: PresetSnapshot, policy: Policy) -> tuple[int, WithheldReason]:
    """How many starts a preset may try now, as far as its past failures and `max_creates` go."""
    if lacks_capacity(snapshot) and calculate_backoff_until(snapshot, policy):
        return 0, WithheldReason.CAPACITY
    if snapshot.is_hard_limited:
        return int(is_probe_due(snapshot, policy)), WithheldReason.HARD_LIMITED
    batch = calculate_batch(snapshot, policy)
    if batch is not None and batch < policy.max_creates:
        return batch, WithheldReason.SLOW_START
    return policy.max_creates, WithheldReason.MAX_CREATES


def withhold_over_budget(decision: Decision, most: int, budget: str, refill_at: datetime | None) -> Decision:
    """The decision with at most so many creates; those beyond are withheld for this budget."""
    actions, over = split_create(decision.actions, most, WithheldReason.BUDGET, budget)
    withheld = (*decision.withheld, *over)
    return _make_decision(decision.preset_id, actions, withheld, decision.snapshot, decision.policy, refill_at)


def split_create(
    actions: Actions, most: int, reason: WithheldReason, budget: str = ""
) -> tuple[Actions, tuple[Withheld, ...]]:
    """The actions with at most so many creates, and the creates beyond; a create is the last of these actions."""
    *others, create = actions
    if create.create <= most:
        return actions, ()
    done = (*others, make_create(most)) if most else tuple(others)
    return done, (_make_withheld(reason, make_create(create.create - most), budget),)
