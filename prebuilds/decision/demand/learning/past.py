"""The past as fitting sees it: the signals at each claim and at steady ticks, and the claims that came after each tick.

Everything is recorded with the functions of production, so that signals know only what came before them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from heapq import merge

import attrs

from prebuilds.decision.demand.following import get_tick
from prebuilds.decision.demand.means import Signals
from prebuilds.decision.demand.seasons import WEEK
from prebuilds.decision.demand.state import (
    DemandState,
    advance_state,
    count_claim,
    find_minute,
    find_signals,
    start_state,
)

_MOST_SPAN = 13 * WEEK
_MOST_TICKS = 40_000
_WARM = 0.2

Event = tuple[float, bool]
"""An instant, and whether somebody claimed; else it is a tick."""


@attrs.frozen
class Past:
    """What the past's last part had, and the state at its end."""

    claims: Sequence[float]
    """All claims, in order, those before the part too."""
    begin: float
    """When the part begins: a fifth of the past or more has been seen by then."""
    end: float
    events: Sequence[Event]
    signals: Sequence[Signals]
    """What was known after each event."""
    state: DemandState

    def list_part(self) -> Sequence[float]:
        """The claims of the part."""
        return [at for at, is_claim in self.events if is_claim]

    def list_ticks(self, lead: float) -> list[tuple[int, int]]:
        """The ticks by their places, and how many claims came in the lead time after each."""
        claims, last = self.claims, self.end - lead
        return [
            (place, bisect_right(claims, at + lead) - bisect_right(claims, at))
            for place, (at, is_claim) in enumerate(self.events)
            if not is_claim and at <= last
        ]


def record_past(claims: Sequence[float], begin: float, end: float, lead: float, timezone: str) -> Past:
    """The past, from claims in order."""
    first = max(begin + _WARM * (end - begin), end - _MOST_SPAN)
    step = max(get_tick(lead), (end - first) / _MOST_TICKS)
    events: list[Event] = []
    signals: list[Signals] = []
    state = start_state(begin, lead, timezone)
    for at, is_tick in merge(((at, False) for at in claims), _iterate_ticks(first, end, step)):
        state = advance_state(state, at, lead, timezone)
        if not is_tick:
            state = count_claim(state, at, lead)
        if at >= first:
            events.append((at, not is_tick))
            signals.append(find_signals(state, at, lead))
    state = attrs.evolve(advance_state(state, end, lead, timezone), minute=find_minute(end))
    return Past(claims, first, end, events, signals, state)


def _iterate_ticks(first: float, end: float, step: float) -> Iterator[tuple[float, bool]]:
    """Ticks come after the claims of their instant, as True sorts after False."""
    number = 0
    while (at := first + number * step) <= end:
        yield at, True
        number += 1
