"""Demand rows: what a snapshot knows of a preset's claims, and what it says of the preset's target."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.following import (
    DemandFit,
    find_bounds,
    find_last_look,
    find_next_look,
    note_claim,
    settle,
)
from prebuilds.decision.demand.looking import EPOCH, DemandTarget, count_seconds, look_at_target
from prebuilds.decision.fields import ID, LAST_NOW, instance_of

_LAST = count_seconds(LAST_NOW)


@attrs.frozen(kw_only=True)
class Demand:
    """What was learned from a preset's claims, and the state that they led to (R21)."""

    preset_id: str = attrs.field(validator=ID)
    fit: DemandFit = attrs.field(validator=instance_of(DemandFit))

    def note(self, at: datetime, *, is_hit: bool) -> Demand:
        """The demand after a claim. Claims come in the order of time."""
        model = self.fit.model
        return self._move(DemandFit(model, note_claim(model, self.fit.state, count_seconds(at), is_hit=is_hit)))

    def settle(self, now: datetime) -> Demand:
        """The demand at the last look up to an instant. The same claims give the same, however often it is settled."""
        model = self.fit.model
        state = settle(model, self.fit.state, find_last_look(model, count_seconds(now)))
        return self if state is self.fit.state else self._move(DemandFit(model, state))

    def find_bounds(self, now: datetime) -> tuple[int, int]:
        """The number to create up to, and the number above which to delete."""
        _, low, high = find_bounds(self.fit.model, self.fit.state, count_seconds(now))
        return low, high

    def find_next_look(self, now: datetime) -> datetime | None:
        """The next instant at which the bounds may differ with no new claim; None if there is none."""
        at = find_next_look(self.fit.model, count_seconds(now))
        return EPOCH + timedelta(seconds=at) if at <= _LAST else None

    @property
    def settled_at(self) -> datetime:
        """The minute up to which claims are known. An earlier claim counts as if it came then."""
        return EPOCH + timedelta(seconds=self.fit.state.minute)

    def look(self, now: datetime) -> DemandTarget:
        """The target of demand alone, with the numbers that it came from."""
        return look_at_target(self.fit.model, self.fit.state, now)

    def _move(self, fit: DemandFit) -> Demand:
        return Demand(preset_id=self.preset_id, fit=fit)

    def adopt(self, autoscale: Autoscale, own_count: int) -> Demand | None:
        """The demand under the preset's present settings. None if it was learned for another lead time.

        All other settings may change without learning again.
        """
        model = self.fit.model
        if model.autoscale.lead_time != autoscale.lead_time:
            return None
        if model.autoscale == autoscale and model.own_count == own_count:
            return self
        hold = model.hold if autoscale.hold is None else autoscale.hold.total_seconds()
        model = attrs.evolve(model, autoscale=autoscale, own_count=own_count, hold=hold)
        held = tuple([(at, autoscale.clamp(count)) for at, count in self.fit.state.held])
        return self._move(DemandFit(model, attrs.evolve(self.fit.state, held=held)))
