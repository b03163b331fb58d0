"""Looking: the target of an instant with the numbers that it came from, and in words."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from prebuilds.decision.demand.following import hold_wanted
from prebuilds.decision.demand.means import calculate_mean
from prebuilds.decision.demand.model import DemandModel
from prebuilds.decision.demand.state import DemandState, fade_rates, find_signals
from prebuilds.decision.fields import UTC, require_instant
from prebuilds.decision.schedules.zones import load_zone
from prebuilds.decision.wording import describe_duration

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@attrs.frozen(kw_only=True)
class DemandTarget:
    """How many prebuilds demand wants at an instant, and why. `str` gives a sentence."""

    now: datetime
    """In the users' time zone."""
    wanted: int
    """Create up to this number."""
    delete_above: int
    """Delete what is above this number: the highest target of the hold."""
    held_until: datetime | None
    """When the held target ends; None if nothing above `wanted` is held."""
    expected: float
    """Claims expected in the next lead time."""
    usual: float
    """What the season expects of a lead time at this hour."""
    level: float
    """What was claimed in the last day, over what the season expected of it."""
    model: DemandModel

    price: float
    """Claims per idle hour that a prebuild must be worth."""

    def __str__(self) -> str:
        return f"{self.wanted} wanted{self._describe_limit()}: {self.describe()}"

    def describe(self) -> str:
        """Where the number comes from, and what is held."""
        held = f"; {self.delete_above} held until {self.held_until:%H:%M}" if self.held_until else ""
        return f"{self._describe_source()}{held}"

    def _describe_limit(self) -> str:
        scale = self.model.autoscale
        if self.wanted == scale.max_instances:
            return ", the most allowed"
        return ", the least allowed" if 0 < self.wanted == scale.min_instances else ""

    def _describe_source(self) -> str:
        model = self.model
        if not model.share:
            return f"the preset's own count, as {model.days:.3g} days of claims are too few"
        demand = self._describe_demand() if model.follows_demand else f"the single size {model.single} of the past"
        if model.share == 1:
            return demand
        return f"{model.share:.0%} of {demand}, and the rest from the preset's own count of {model.own_count}"

    def _describe_demand(self) -> str:
        when = f"{_DAYS[self.now.weekday()]} {self.now:%H:%M}"
        lead = describe_duration(self.model.autoscale.lead_time)
        return (
            f"{self.expected:.2g} claims expected in {lead}, usual for {when}: {self.usual:.2g}, "
            f"today {self.level:.2g} times that"
        )


def count_seconds(instant: datetime) -> float:
    """The whole seconds since 1970. Looks are at whole minutes, and a float has no microseconds in distant years."""
    return float((instant - EPOCH) // _SECOND)


def look_at_target(model: DemandModel, state: DemandState, now: datetime) -> DemandTarget:
    """The target of an instant, which changes nothing. Raises `InvalidValueError` for a naive `now`."""
    at = count_seconds(require_instant("look_at_target", "now", now))
    state, low, held = hold_wanted(model, state, at)
    signals = find_signals(state, state.minute, model.lead)
    _, level = fade_rates(state, state.minute, model.lead).list_levels()
    zone = load_zone(model.timezone)
    since, high = held[0]
    ends = EPOCH + timedelta(seconds=since + model.hold)
    return DemandTarget(
        now=now.astimezone(zone),
        wanted=low,
        delete_above=high,
        held_until=ends.astimezone(zone) if high > low else None,
        expected=calculate_mean(signals, model.weights),
        usual=signals[0],
        level=level,
        model=model,
        price=10 ** -(model.caution + state.steering.fade(state.minute)),
    )
