"""Trials: the past replayed with a target for each bin of the mean, at one price and without steering."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import attrs

from prebuilds.decision.demand.learning.past import Event

_DAY = 86_400.0


@attrs.frozen
class Trial:
    """What a pool would have had on the past."""

    claims: int
    misses: Sequence[float]
    """When a claim found nothing ready."""
    idle: float
    """Seconds for which prebuilds stood ready, summed over all of them."""
    built: int

    @property
    def hit_rate(self) -> float:
        return 1 - len(self.misses) / self.claims

    @property
    def builds_per_claim(self) -> float:
        return self.built / self.claims

    def count_miss_days(self) -> float:
        """On how many days the misses fell: days that have more of them count more (the inverse Simpson index)."""
        days: dict[int, int] = {}
        for at in self.misses:
            day = int((at - self.misses[0]) // _DAY)
            days[day] = days.get(day, 0) + 1
        return sum(days.values()) ** 2 / sum(count * count for count in days.values()) if days else 0.0


def run_trial(
    events: Sequence[Event], bins: Sequence[int], targets: Sequence[int], hold: float, lead: float, *, waits: bool
) -> Trial:
    """Replay the past. `bins` has the bin of the mean after each event, and `targets` the target of each bin."""
    pool = _Pool(events[0][0], targets[bins[0]], hold, lead)
    misses: list[float] = []
    claims = 0
    for (at, is_claim), place in zip(events, bins, strict=True):
        pool.pass_time(at)
        if is_claim:
            claims += 1
            if not pool.claim(waits=waits):
                misses.append(at)
        pool.keep_to(targets[place])
    return Trial(claims, misses, pool.idle, pool.built)


class _Pool:
    """A pool whose builds all take the lead time."""

    def __init__(self, now: float, ready: int, hold: float, lead: float) -> None:
        self.idle, self.built = 0.0, 0
        self._now, self._ready, self._waiting = now, ready, 0
        self._ends: deque[float] = deque()
        self._held: deque[tuple[float, int]] = deque()
        self._hold, self._lead = hold, lead

    def pass_time(self, now: float) -> None:
        ends = self._ends
        while ends and ends[0] <= now:
            end = ends.popleft()
            self.idle += self._ready * (end - self._now)
            self._now = end
            if self._waiting:
                self._waiting -= 1
            else:
                self._ready += 1
        self.idle += self._ready * (now - self._now)
        self._now = now

    def claim(self, *, waits: bool) -> bool:
        """Whether a prebuild was ready."""
        if self._ready:
            self._ready -= 1
            return True
        self._waiting += waits
        return False

    def keep_to(self, target: int) -> None:
        """Create up to the target, and delete what is above the highest of the hold."""
        now, held = self._now, self._held
        while held and held[-1][1] <= target:
            held.pop()
        held.append((now, target))
        while held[0][0] < now - self._hold:
            held.popleft()
        surplus = self._ready + len(self._ends) - self._waiting - target
        if surplus < 0:
            self.built -= surplus
            self._ends.extend([now + self._lead] * -surplus)
        elif surplus and (beyond := surplus + target - held[0][1]) > 0:
            self._ready -= min(self._ready, beyond)
