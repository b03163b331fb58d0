"""The state: what was claimed, as far as the target needs it. A value that claims and hours move on.

It changes at claims and when an hour begins, never because somebody asks. So the same claims give the same state.
"""

from __future__ import annotations

from functools import lru_cache
from math import floor

import attrs

from prebuilds.decision.demand.holds import Held
from prebuilds.decision.demand.means import Signals, list_signals
from prebuilds.decision.demand.rates import FadingRates, list_decays
from prebuilds.decision.demand.seasons import HOUR, WEEK, Season, find_slot
from prebuilds.decision.demand.steering import Steering

MINUTE = 60.0
_SILENT_WEEKS = 3  # after so many the rates have faded, and only the season has weeks to add

get_decays = lru_cache(maxsize=2**10)(list_decays)


@attrs.frozen
class DemandState:
    """The season, the hour that has begun, the recent rates, the steering, and what was wanted at the last looks."""

    season: Season
    hour: float
    """When the hour began."""
    counted: int
    """Claims since then."""
    usual: tuple[float, ...]
    """What the season expects of the hour before, this hour and those after, in claims per second."""
    rates: FadingRates
    steering: Steering
    minute: float
    """The last minute that was looked at. Claims may still be counted in it, so its target is not held yet."""
    held: Held = ()


def start_state(at: float, lead: float, timezone: str) -> DemandState:
    """The state at an instant before which nothing is known."""
    hour, season = floor(at / HOUR) * HOUR, Season()
    usual = _list_usual(season, hour, lead, timezone)
    return DemandState(season, hour, 0, usual, FadingRates(at), Steering(at), find_minute(at))


def find_minute(at: float) -> float:
    """When the minute of an instant began."""
    return floor(at / MINUTE) * MINUTE


def advance_state(state: DemandState, now: float, lead: float, timezone: str) -> DemandState:
    """The state in which the hour of `now` has begun. A clock that went back changes nothing."""
    if now < state.hour + HOUR:
        return state
    silent = floor((now - state.hour) / WEEK) - _SILENT_WEEKS
    if silent > 0:
        state = _skip_weeks(state, silent, lead, timezone)
    while now >= state.hour + HOUR:
        state = _end_hour(state, lead, timezone)
    return state


def _end_hour(state: DemandState, lead: float, timezone: str) -> DemandState:
    hour = state.hour + HOUR
    rates = fade_rates(state, hour, lead)
    season = state.season.add_hour(find_slot(state.hour, timezone), state.counted)
    usual = _list_usual(season, hour, lead, timezone)
    return DemandState(season, hour, 0, usual, rates, state.steering, state.minute, state.held)


def _skip_weeks(state: DemandState, weeks: int, lead: float, timezone: str) -> DemandState:
    """The state after whole weeks in which nothing is claimed."""
    state = _end_hour(state, lead, timezone)
    hour, season = state.hour + weeks * WEEK, state.season.add_silent_weeks(weeks)
    usual = _list_usual(season, hour, lead, timezone)
    return DemandState(season, hour, 0, usual, FadingRates(hour), state.steering, state.minute, state.held)


def _list_usual(season: Season, hour: float, lead: float, timezone: str) -> tuple[float, ...]:
    steps = range(-1, count_usual(lead) - 1)
    return tuple(season.calculate_rate(find_slot(hour + step * HOUR, timezone)) / HOUR for step in steps)


def count_usual(lead: float) -> int:
    """How many hours of the season a state looks at: the last, this, and those that half a lead time reaches into."""
    return floor(0.5 + lead / (2 * HOUR)) + 3


def get_usual(state: DemandState, at: float) -> float:
    """What the season expects at an instant, in claims per second: between the middles of two hours, in proportion."""
    place = max(0.0, at - state.hour) / HOUR + 0.5
    before = int(place)
    share = place - before
    return state.usual[before] * (1 - share) + state.usual[before + 1] * share


def fade_rates(state: DemandState, now: float, lead: float) -> FadingRates:
    """The rates at an instant of the hour that has begun, or at its end."""
    rates = state.rates
    return rates.fade(now, get_usual(state, (rates.at + now) / 2), get_decays(lead))


def count_claim(state: DemandState, at: float, lead: float) -> DemandState:
    """The state after a claim in the hour that has begun."""
    rates = fade_rates(state, at, lead).count_claim(get_decays(lead))
    counted = state.counted + 1
    return DemandState(state.season, state.hour, counted, state.usual, rates, state.steering, state.minute, state.held)


def find_signals(state: DemandState, now: float, lead: float) -> Signals:
    """What the mean is made of, at an instant of the hour that has begun."""
    return list_signals(fade_rates(state, now, lead), get_usual(state, now + lead / 2), lead)
