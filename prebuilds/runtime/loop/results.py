"""The result of a pass: the outcome of each effect, by preset, and how long it took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum

import attrs

from prebuilds.decision.fields import FLAG, ID, INSTANT, instance_of, member_of, optional, to_tuple, tuple_of
from prebuilds.decision.plans.planning import Plan
from prebuilds.runtime.loop.effects import Effect


class OutcomeStatus(Enum):
    """How an effect ended."""

    DONE = "done"
    """It was carried out."""
    SKIPPED = "skipped"
    """It was not carried out: the situation has changed, it must wait, or the loop stops."""
    HELD = "held"
    """The host's builder had no room: the start was canceled, and the preset waits for room."""
    FAILED = "failed"
    """It was tried and raised an error."""


@attrs.frozen(kw_only=True)
class EffectOutcome:
    """How one effect ended, the reason if it was not done, and how long the batch took that it was part of.

    `is_outage` says that it failed because the store was out of reach.
    """

    effect: Effect = attrs.field()
    status: OutcomeStatus = attrs.field(validator=member_of(OutcomeStatus))
    reason: str = attrs.field(default="", validator=instance_of(str))
    is_outage: bool = attrs.field(default=False, validator=FLAG)
    elapsed: timedelta = attrs.field(default=timedelta(), eq=False, validator=instance_of(timedelta))


@attrs.frozen(kw_only=True)
class PresetResult:
    """The outcomes of all effects for one preset, in the order in which they were tried."""

    preset_id: str = attrs.field(validator=ID)
    outcomes: tuple[EffectOutcome, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(EffectOutcome))
    elapsed: timedelta = attrs.field(default=timedelta(), eq=False, validator=instance_of(timedelta))

    @property
    def is_unsettled(self) -> bool:
        """Whether something failed or was skipped, so that the preset is to be looked at again."""
        return any(outcome.status in (OutcomeStatus.FAILED, OutcomeStatus.SKIPPED) for outcome in self.outcomes)

    @property
    def has_met_outage(self) -> bool:
        """Whether something failed because the store was out of reach, which is not the preset's fault."""
        return any(outcome.is_outage for outcome in self.outcomes)

    def select(self, status: OutcomeStatus) -> tuple[EffectOutcome, ...]:
        """The outcomes of this status."""
        return tuple(outcome for outcome in self.outcomes if outcome.status is status)


def join_results(*results: PresetResult) -> Sequence[PresetResult]:
    """The results with each preset once: what is told of it first comes first."""
    joined: dict[str, PresetResult] = {}
    for result in results:
        earlier = joined.get(result.preset_id)
        joined[result.preset_id] = _join(earlier, result) if earlier else result
    return tuple(joined.values())


def _join(earlier: PresetResult, later: PresetResult) -> PresetResult:
    outcomes, elapsed = (*earlier.outcomes, *later.outcomes), earlier.elapsed + later.elapsed
    return attrs.evolve(earlier, outcomes=outcomes, elapsed=elapsed)


class PassStatus(Enum):
    """Whether a pass did its work."""

    RECONCILED = "reconciled"
    PAUSED = "paused"
    """Reconciliation is paused: nothing was written."""
    NOT_LEADER = "not_leader"
    """Another reconciler has the lease: nothing was read or written."""


@attrs.frozen(kw_only=True)
class ReconciliationResult:
    """What a pass did. `presets` has the presets with effects, each once: first those that an earlier pass left and
    that have ended since, then the others in the order of the plan.

    `under_way` are the presets that this pass or an earlier one has left, as a call to the builder hangs. A later
    result has their outcomes.

    `next_changes` says when to look at each preset again if no event comes first: at the instant of its decision (R12),
    when a start that was begun may miss its deadline, at once if a failed build was noted (R14), or when to retry a
    failed delete or a call to the builder that timed out. A preset without such an instant is left out.
    `next_change_at` is the earliest of them.
    """

    status: PassStatus = attrs.field(validator=member_of(PassStatus))
    started_at: datetime = attrs.field(validator=INSTANT)
    elapsed: timedelta = attrs.field(default=timedelta(), eq=False, validator=instance_of(timedelta))
    plan: Plan | None = attrs.field(default=None, validator=optional(instance_of(Plan)), repr=False)
    presets: tuple[PresetResult, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(PresetResult))
    under_way: tuple[str, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(str))
    next_changes: Mapping[str, datetime] = attrs.field(factory=dict, validator=instance_of(Mapping), repr=False)

    @property
    def next_change_at(self) -> datetime | None:
        return min(self.next_changes.values(), default=None)

    def __iter__(self) -> Iterator[PresetResult]:
        return iter(self.presets)

    def select(self, status: OutcomeStatus) -> tuple[EffectOutcome, ...]:
        """The outcomes of this status, of all presets."""
        return tuple(outcome for preset in self.presets for outcome in preset.select(status))

    @property
    def done(self) -> tuple[EffectOutcome, ...]:
        return self.select(OutcomeStatus.DONE)

    @property
    def skipped(self) -> tuple[EffectOutcome, ...]:
        return self.select(OutcomeStatus.SKIPPED)

    @property
    def failed(self) -> tuple[EffectOutcome, ...]:
        return self.select(OutcomeStatus.FAILED)
