"""What came of a pass: each effect with its outcome, by preset, and how long it took."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum

import attrs

from prebuilds.decision.fields import ID, INSTANT, instance_of, member_of, optional, to_tuple, tuple_of
from prebuilds.decision.plans.planning import Plan
from prebuilds.runtime.loop.effects import Effect


class OutcomeStatus(Enum):
    """What became of an effect."""

    DONE = "done"
    """It was carried out."""
    SKIPPED = "skipped"
    """It was not, as what it was decided from is no longer so, or as the loop is to stop."""
    HELD = "held"
    """The host's builder had no room for it: the start was canceled, and the preset waits for room."""
    FAILED = "failed"
    """It was tried, and something raised."""


@attrs.frozen(kw_only=True)
class EffectOutcome:
    """What became of one effect, why if it was not done, and how long it took."""

    effect: Effect = attrs.field()
    status: OutcomeStatus = attrs.field(validator=member_of(OutcomeStatus))
    reason: str = attrs.field(default="", validator=instance_of(str))
    elapsed: timedelta = attrs.field(default=timedelta(), eq=False, validator=instance_of(timedelta))


@attrs.frozen(kw_only=True)
class PresetResult:
    """What became of all effects for one preset, in the order in which they were tried."""

    preset_id: str = attrs.field(validator=ID)
    outcomes: tuple[EffectOutcome, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(EffectOutcome))
    elapsed: timedelta = attrs.field(default=timedelta(), eq=False, validator=instance_of(timedelta))

    def select(self, status: OutcomeStatus) -> tuple[EffectOutcome, ...]:
        """The outcomes of this status."""
        return tuple(outcome for outcome in self.outcomes if outcome.status is status)


class PassStatus(Enum):
    """Whether a pass did its work."""

    RECONCILED = "reconciled"
    PAUSED = "paused"
    """Reconciliation is paused: nothing was written."""
    NOT_LEADER = "not_leader"
    """Another reconciler has the lease: nothing was read or written."""


@attrs.frozen(kw_only=True)
class ReconciliationResult:
    """What a pass did. `presets` has those that something was to be done for, in the order of the plan.

    `next_change_at` is when the loop should look again though nothing happens: the plan's own (R12), or when a delete
    that failed, or a call to the builder that timed out, is to be tried again.
    """

    status: PassStatus = attrs.field(validator=member_of(PassStatus))
    started_at: datetime = attrs.field(validator=INSTANT)
    elapsed: timedelta = attrs.field(default=timedelta(), eq=False, validator=instance_of(timedelta))
    plan: Plan | None = attrs.field(default=None, validator=optional(instance_of(Plan)), repr=False)
    presets: tuple[PresetResult, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(PresetResult))
    next_change_at: datetime | None = attrs.field(default=None, validator=optional(INSTANT))

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
