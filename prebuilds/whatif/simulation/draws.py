"""The builder: how long the builds of one preset take, and which of them fail.

The n-th build of a preset takes as long, and fails or not, in every scenario that is simulated with the same seed. Two
scenarios thus differ by what they suppose, and not by luck: these are common random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from prebuilds.whatif.traces.lead_times import FixedLeadTime, LeadTime
from prebuilds.whatif.traces.ticks import count_ticks


class Builder:
    """Draws what becomes of builds in the order of their creation, each kind of chance from a source of its own."""

    def __init__(self, preset_id: str, lead_time: LeadTime, failure_rate: float, seed: int) -> None:
        self._failure_rate = failure_rate
        self._failures = Random(f"{seed} failures {preset_id}")  # noqa: S311
        self.draw_leads = make_draw(lead_time, Random(f"{seed} builds {preset_id}"))  # noqa: S311
        """How long each of so many next builds takes, in microseconds."""
        self._draw_own = make_draw(lead_time, Random(f"{seed} own builds {preset_id}"))  # noqa: S311

    def draw_failures(self, count: int) -> list[int]:
        """The places, among so many next builds, of those that fail."""
        rate = self._failure_rate
        return [place for place in range(count) if self._failures.random() < rate] if rate else []

    def draw_own(self) -> int:
        """How long the build takes of a user who builds a workspace of their own."""
        return self._draw_own(1)[0]


def make_draw(lead_time: LeadTime, random: Random) -> Callable[[int], list[int]]:
    """A function that draws durations in microseconds, one at least: what a claim lacks is not there at once."""
    if isinstance(lead_time, FixedLeadTime):
        fixed = [max(count_ticks(lead_time.duration), 1)]
        return lambda count: fixed * count
    return lambda count: [max(count_ticks(lead_time.draw(random)), 1) for _ in range(count)]
