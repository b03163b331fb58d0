"""Following: how claims move the state on, and which target it gives. Both cost about 10 microseconds."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor, inf

import attrs

from prebuilds.decision.demand.counts import count_worthy, list_worths
from prebuilds.decision.demand.holds import Held, hold_target
from prebuilds.decision.demand.means import calculate_mean
from prebuilds.decision.demand.model import DemandModel
from prebuilds.decision.demand.spreads import find_bin, get_bin_mean
from prebuilds.decision.demand.state import (
    MINUTE,
    DemandState,
    advance_state,
    count_claim,
    count_usual,
    find_minute,
    find_signals,
)
from prebuilds.decision.fields import instance_of
from prebuilds.errors import InvalidValueError

_TICKS_PER_LEAD = 5


def note_claim(model: DemandModel, state: DemandState, at: float, *, is_hit: bool) -> DemandState:
    """The state after a claim, which counts from the beginning of its minute on: stores keep claims by the minute.

    Hits and misses count alike as claims; misses make the target more cautious.
    """
    minute = max(find_minute(at), state.minute)
    state = count_claim(settle(model, state, minute), minute, model.lead)
    if model.doubt is not None:
        return state
    steering = state.steering.note(minute, model.autoscale.hit_rate, is_hit=is_hit)
    return DemandState(state.season, state.hour, state.counted, state.usual, state.rates, steering, minute, state.held)


def find_bounds(model: DemandModel, state: DemandState, now: float) -> tuple[DemandState, int, int]:
    """The state at the last look, the number to create up to, and that above which to delete."""
    state, low, held = hold_wanted(model, state, now)
    return state, low, held[0][1]


def hold_wanted(model: DemandModel, state: DemandState, now: float) -> tuple[DemandState, int, Held]:
    """The state at the last look, the number to create up to, and the targets that are held with it."""
    state = settle(model, state, find_last_look(model, now))
    low = find_wanted(model, state, state.minute)
    return state, low, hold_target(state.held, state.minute, low, model.hold)


def settle(model: DemandModel, state: DemandState, minute: float) -> DemandState:
    """The state when a minute is looked at. The targets of the looks before are held.

    Looks are at every tick and in every minute with a claim, whoever asks. So the same claims give the same state.
    """
    if minute <= state.minute:
        return state
    held = state.held
    for at in _list_looks(model, state.minute, minute):
        state = advance_state(state, at, model.lead, model.timezone)
        held = hold_target(held, at, find_wanted(model, state, at), model.hold)
    state = advance_state(state, minute, model.lead, model.timezone)
    held = tuple([pair for pair in held if pair[0] >= minute - model.hold])
    return DemandState(state.season, state.hour, state.counted, state.usual, state.rates, state.steering, minute, held)


def _list_looks(model: DemandModel, begin: float, end: float) -> Iterator[float]:
    """The looks from one on to another one that is not among them, as far back as they are held."""
    first = end - model.hold
    if not model.is_moving:
        return
    if begin >= first:
        yield begin
    tick = get_tick(model.lead)
    at = max(floor(begin / tick) + 1, ceil(first / tick)) * tick
    while at < end:
        yield at
        at += tick


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
    return find_last_look(model, now) + get_tick(model.lead) if model.is_moving else inf


def find_last_look(model: DemandModel, now: float) -> float:
    """The last tick up to an instant."""
    tick = get_tick(model.lead)
    return floor(now / tick) * tick


def get_tick(lead: float) -> float:
    """After how many seconds without a claim a target is looked at again: whole minutes, a fifth of a lead time."""
    return max(1, floor(lead / (_TICKS_PER_LEAD * MINUTE))) * MINUTE


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

    model: DemandModel = attrs.field(validator=instance_of(DemandModel))
    state: DemandState = attrs.field(validator=instance_of(DemandState))

    def __attrs_post_init__(self) -> None:
        hours = count_usual(self.model.lead)
        if len(self.state.usual) != hours:
            allowed = f"{hours} numbers, as many as the lead time of the model needs"
            raise InvalidValueError("DemandFit", "state.usual", self.state.usual, allowed)

    def follow(self) -> DemandFollower:
        """A fresh target function that goes on from here."""
        return DemandFollower(self.model, self.state)
