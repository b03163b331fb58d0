"""Random draws: how long the builds of one preset take, and which of them fail.

These are common random numbers: with the same seed, the n-th build of a preset takes equally long in every scenario,
and fails in all of them or in none. So two scenarios differ by what they assume, and not by luck.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from prebuilds.whatif.traces.lead_times import FixedLeadTime, LeadTime
from prebuilds.whatif.traces.ticks import count_ticks


class BuildSampler:
    """Draws durations and failures in the order of creation. Each kind of draw has a random source of its own."""

    def __init__(self, preset_id: str, lead_time: LeadTime, failure_rate: float, seed: int) -> None:
        self._failure_rate = failure_rate
        self._failures = Random(f"{seed} failures {preset_id}")  # noqa: S311
        self.draw_leads = make_draw(lead_time, Random(f"{seed} builds {preset_id}"))  # noqa: S311
        """Takes a number of builds, and gives the duration of each in microseconds."""
        self._draw_own = make_draw(lead_time, Random(f"{seed} own builds {preset_id}"))  # noqa: S311

    def draw_failures(self, count: int) -> list[int]:
        """Which of the next `count` builds fail, by their places from 0."""
        rate = self._failure_rate
        return [place for place in range(count) if self._failures.random() < rate] if rate else []

    def draw_own(self) -> int:
        """The duration of a workspace that a user builds after a miss, in microseconds."""
        return self._draw_own(1)[0]


def make_draw(lead_time: LeadTime, random: Random) -> Callable[[int], list[int]]:
    """A function that draws durations in microseconds. Each is at least 1: no build is ready at once."""
    if isinstance(lead_time, FixedLeadTime):
        fixed = [max(count_ticks(lead_time.duration), 1)]
        return lambda count: fixed * count
    return lambda count: [max(count_ticks(lead_time.draw(random)), 1) for _ in range(count)]
