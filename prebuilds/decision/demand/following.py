"""Following: how claims move the state on, and which target it gives. Both cost about 10 microseconds."""

from __future__ import annotations

from math import ceil, floor, inf

import attrs

from prebuilds.decision.demand.counts import count_worthy, list_worths
from prebuilds.decision.demand.holds import hold_target
from prebuilds.decision.demand.means import calculate_mean
from prebuilds.decision.demand.model import DemandModel
from prebuilds.decision.demand.spreads import find_bin, get_bin_mean
from prebuilds.decision.demand.state import DemandState, advance_state, count_claim, find_signals

_LEAST_TICK = 60.0
_TICKS_PER_LEAD = 5


def note_claim(model: DemandModel, state: DemandState, at: float, *, is_hit: bool) -> DemandState:
    """The state after a claim. Hits and misses count alike as claims; misses make the target more cautious."""
    lead = model.lead
    state = count_claim(advance_state(state, at, lead, model.timezone), at, lead)
    if model.doubt is not None:
        return state
    steering = state.steering.note(at, model.autoscale.hit_rate, is_hit=is_hit)
    return DemandState(state.season, state.hour, state.counted, state.usual, state.rates, steering, state.held)


def find_bounds(model: DemandModel, state: DemandState, now: float) -> tuple[DemandState, int, int]:
    """The state with the target of now held, the number to create up to, and that above which to delete."""
    state = advance_state(state, now, model.lead, model.timezone)
    low = find_wanted(model, state, now)
    held = hold_target(state.held, now, low, model.hold)
    state = DemandState(state.season, state.hour, state.counted, state.usual, state.rates, state.steering, held)
    return state, low, held[0][1]


def find_wanted(model: DemandModel, state: DemandState, now: float) -> int:
    """The target that the claims so far ask for, within the limits; nothing is held."""
    clamp = model.autoscale.clamp
    if not model.follows_demand:
        return clamp(_blend(model, model.single))
    mean = calculate_mean(find_signals(state, now, model.lead), model.weights)
    return clamp(_blend(model, count_for_mean(model, mean, model.caution + state.steering.fade(now))))


def count_for_mean(model: DemandModel, mean: float, caution: float) -> int:
    """How many prebuilds are worth their price, if so many claims are expected in the next lead time."""
    place = find_bin(mean)
    worths = list_worths(get_bin_mean(place), model.spreads[place], model.lead, model.autoscale.max_instances)
    return count_worthy(worths, 10**-caution)


def _blend(model: DemandModel, count: int) -> int:
    if model.share == 1:
        return count
    return ceil(model.share * count + (1 - model.share) * model.own_count - 1e-9)


def find_next_look(model: DemandModel, now: float) -> float:
    """The next instant at which the target may differ with no new claim; infinity if it never does."""
    if not model.follows_demand or not model.share:
        return inf
    tick = get_tick(model.lead)
    return (floor(now / tick) + 1) * tick


def get_tick(lead: float) -> float:
    """After how many seconds without a claim a target is looked at again."""
    return max(_LEAST_TICK, lead / _TICKS_PER_LEAD)


@attrs.define
class DemandFollower:
    """A model and its state, moved on in place: a target function for replays, and for hosts with one thread.

    Instants are seconds since 1970, and calls come in the order of time.
    """

    model: DemandModel
    state: DemandState

    def note(self, at: float, *, is_hit: bool) -> None:
        """Take note of a claim, after it was a hit or a miss."""
        self.state = note_claim(self.model, self.state, at, is_hit=is_hit)

    def bounds(self, now: float) -> tuple[int, int]:
        """The number of prebuilds to create up to, and the number above which to delete."""
        self.state, low, high = find_bounds(self.model, self.state, now)
        return low, high

    def until(self, now: float) -> float:
        """The next instant at which the bounds may differ though nobody claims; infinity if there is none."""
        return find_next_look(self.model, now)


@attrs.frozen
class DemandFit:
    """A model, and the state that its past led to."""

    model: DemandModel
    state: DemandState

    def follow(self) -> DemandFollower:
        """A fresh target function that goes on from here."""
        return DemandFollower(self.model, self.state)
