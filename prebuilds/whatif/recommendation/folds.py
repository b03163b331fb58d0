"""Calibration: what a layout that was planned on the past had in the time after it, and the margin that this asks for.

- A fold cuts the history at a day: what is before it is planned on, what comes after it is replayed. So a forecast is
  judged on what it had not seen, as far ahead as a recommendation has to hold.
- Claims of one day belong together, so that days are what is sampled: an interval is one over days, by Student's t.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil, sqrt
from typing import NamedTuple

from prebuilds.decision.models import Preset
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.replay import list_steps, replay
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR

TICKS_PER_DAY = 24 * TICKS_PER_HOUR
_MOST_FOLDS = 5
WEEK = 7


class Day(NamedTuple):
    """What a pool had on one day of a trace."""

    claims: int
    misses: int
    idle_hours: float


def replay_days(demand: Demand, preset: Preset, on_miss: OnMiss) -> list[Day]:
    """The demand met by a preset's counts, for each day from the begin of the trace; the last may be short."""
    # A span of no time, which a single claim has, is a day too.
    starts = range(demand.begin, max(demand.end, demand.begin + 1), TICKS_PER_DAY)
    steps = _cut(list_steps(preset, demand.trace.begin, demand.trace.end), starts)
    done = replay(demand, steps, on_miss)
    claims, misses = [0] * len(starts), [0] * len(starts)
    for at, is_hit in zip(demand.claims, done.hits, strict=True):
        day = min((at - demand.begin) // TICKS_PER_DAY, len(starts) - 1)
        claims[day] += 1
        misses[day] += not is_hit
    idle = dict(zip((at for at, _ in steps), done.idle, strict=False))
    bounds = [*(idle[start] for start in starts), done.idle[-1]]
    hours = [(b - a) / TICKS_PER_HOUR for a, b in pairwise(bounds)]
    return [Day(*row) for row in zip(claims, misses, hours, strict=True)]


def _cut(steps: Sequence[tuple[int, int]], starts: Iterable[int]) -> list[tuple[int, int]]:
    """The steps with one more at each start, to the target that holds there anyway."""
    targets = dict(steps)
    times = sorted({*targets, *starts})
    target = steps[0][1]
    return [(at, target := targets.get(at, target)) for at in times]


def list_origins(days: int) -> list[int]:
    """The days at which a history of so many is cut: whole weeks where there are three, a quarter of it in at least."""
    unit = WEEK if days >= 3 * WEEK else 1
    first = max(2 if unit == 1 else WEEK, ceil(days / 4 / unit) * unit)
    origins = range(first, days, unit)
    step = max(1.0, (len(origins) - 1) / (_MOST_FOLDS - 1))
    return [origins[round(index * step)] for index in range(min(len(origins), _MOST_FOLDS))]


def estimate_ratio(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The ratio of the sums of pairs, and its standard error over them; no error can be told from one pair."""
    whole, count = sum(below for _, below in pairs), len(pairs)
    if not whole:
        return 0.0, 0.0
    ratio = sum(above for above, _ in pairs) / whole
    if count < 2:
        return ratio, 0.0
    squares = sum((above - ratio * below) ** 2 for above, below in pairs)
    return ratio, sqrt(count / (count - 1) * squares) / whole
