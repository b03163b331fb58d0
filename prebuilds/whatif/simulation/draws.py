"""Random draws: how long the builds of one preset take, and what becomes of them.

These are common random numbers: with the same seed, the n-th build of a preset takes equally long in every scenario,
and fails in all of them or in none. So two scenarios differ by what they assume, and not by luck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from random import Random

import attrs

from prebuilds.whatif.traces.lead_times import FixedLeadTime, LeadTime
from prebuilds.whatif.traces.ticks import count_ticks


class Mishap(Enum):
    """What goes wrong with a build."""

    FAILS = "fails"
    HANGS = "hangs"
    """It never ends."""
    NEVER_READY = "never_ready"
    """It ends well, but its prebuild never becomes ready."""


@attrs.frozen(kw_only=True)
class MishapRates:
    """The share of builds for each mishap. Together they are 1 at most, as a build has one mishap at most."""

    fails: float = 0.0
    hangs: float = 0.0
    never_ready: float = 0.0

    def find(self, drawn: float) -> Mishap | None:
        """The mishap of a build with this number from 0 to 1. Changing one rate leaves the other mishaps alone."""
        if drawn < self.fails:
            return Mishap.FAILS
        if drawn >= 1 - self.hangs:
            return Mishap.HANGS
        return Mishap.NEVER_READY if drawn >= 1 - self.hangs - self.never_ready else None


class BuildSampler:
    """Draws durations and mishaps in the order of creation. Each kind of draw has a random source of its own."""

    def __init__(self, preset_id: str, lead_time: LeadTime, rates: MishapRates, seed: int) -> None:
        self._rates = rates
        self._can_fail = rates != MishapRates()
        self._failures = Random(f"{seed} failures {preset_id}")  # noqa: S311
        self.draw_leads = make_draw(lead_time, Random(f"{seed} builds {preset_id}"))  # noqa: S311
        """Takes a number of builds, and gives the duration of each in microseconds."""
        self._draw_own = make_draw(lead_time, Random(f"{seed} own builds {preset_id}"))  # noqa: S311

    def draw_mishaps(self, count: int) -> Mapping[int, Mishap]:
        """The mishaps of the next `count` builds, by their places from 0."""
        if not self._can_fail:
            return {}
        drawn = [self._rates.find(self._failures.random()) for _ in range(count)]
        return {place: mishap for place, mishap in enumerate(drawn) if mishap}

    def draw_own(self) -> int:
        """The duration of a workspace that a user builds after a miss, in microseconds."""
        return self._draw_own(1)[0]


def make_draw(lead_time: LeadTime, random: Random) -> Callable[[int], list[int]]:
    """A function that draws durations in microseconds. Each is at least 1: no build is ready at once."""
    if isinstance(lead_time, FixedLeadTime):
        fixed = [max(count_ticks(lead_time.duration), 1)]
        return lambda count: fixed * count
    return lambda count: [max(count_ticks(lead_time.draw(random)), 1) for _ in range(count)]
