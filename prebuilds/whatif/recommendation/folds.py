"""Folds: where a history is cut for backtests, and the results of each replayed day.

- A fold cuts the history at a day. The days before it are planned on, and days after it are replayed. So a layout is
  tested on days that it has not seen, as far ahead as a recommendation has to hold.
- Claims of one day depend on each other, so the day is the sample: intervals are taken over days, by Student's t.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.schedule_replay import TargetSteps, replay
from prebuilds.whatif.targets.target_function import TargetFunction
from prebuilds.whatif.targets.target_replay import replay_in_parts
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import TICKS_PER_DAY, TICKS_PER_HOUR

_FEWEST_PLANNED = 2  # days
WEEK = 7


class DayResult(NamedTuple):
    """The results of a pool on one day."""

    claims: int
    misses: int
    idle_hours: float


class ReplayedDays(NamedTuple):
    """The results of each day of a trace, of which the last may be short, and how many builds began."""

    days: list[DayResult]
    created: int


def replay_days(demand: Demand, steps: TargetSteps, on_miss: OnMiss) -> ReplayedDays:
    """Replay targets on a demand."""
    starts = _list_starts(demand)
    cut = _cut(steps, starts)
    done = replay(demand, cut, on_miss)
    idle = dict(zip((at for at, _ in cut), done.idle, strict=False))
    days = _part(demand, done.hits, starts, [*(idle[start] for start in starts), done.idle[-1]])
    return ReplayedDays(days, done.created)


def follow_days(demand: Demand, target: TargetFunction, on_miss: OnMiss) -> ReplayedDays:
    """The same for a target function."""
    starts = _list_starts(demand)
    done, idle = replay_in_parts(demand, target, on_miss, starts)
    ticks = [*idle, round(done.idle_hours * TICKS_PER_HOUR)]
    return ReplayedDays(_part(demand, done.outcomes, starts, ticks), done.created)


def _list_starts(demand: Demand) -> range:
    """The start of each day. A trace of a single claim has no span, and still a day."""
    return range(demand.begin, max(demand.end, demand.begin + 1), TICKS_PER_DAY)


def _part(demand: Demand, hits: bytes, starts: range, idle: Sequence[int]) -> list[DayResult]:
    """The results of each day, from the idle ticks at its start and those at the end."""
    claims, misses = [0] * len(starts), [0] * len(starts)
    for at, is_hit in zip(demand.claims, hits, strict=True):
        day = min((at - demand.begin) // TICKS_PER_DAY, len(starts) - 1)
        claims[day] += 1
        misses[day] += not is_hit
    hours = [(b - a) / TICKS_PER_HOUR for a, b in pairwise(idle)]
    return [DayResult(*row) for row in zip(claims, misses, hours, strict=True)]


def _cut(steps: TargetSteps, starts: Iterable[int]) -> list[tuple[int, int]]:
    """The steps, with one added at each start that does not change the target."""
    targets = dict(steps)
    times = sorted({*targets, *starts})
    target = steps[0][1]
    return [(at, target := targets.get(at, target)) for at in times]


def list_folds(end: int) -> list[tuple[int, int]]:
    """For each cut before the day `end`, the cut and the end of the days to replay: the next quarter of the days.

    Cuts are after half of the days and after three quarters, in whole weeks if there are four.
    """
    cuts = [max(_FEWEST_PLANNED, round_days(end * share, end >= 4 * WEEK)) for share in (1 / 2, 3 / 4)]
    starts = sorted({cut for cut in cuts if cut < end})
    return list(zip(starts, [*starts[1:], end], strict=True))


def find_holdout(days: int) -> int:
    """The first day that is held out: after about two thirds of the days, in whole weeks if there are three."""
    return max(_FEWEST_PLANNED + 1, round_days(days * 2 / 3, days >= 3 * WEEK))


def round_days(days: float, is_weekly: bool) -> int:  # noqa: FBT001
    unit = WEEK if is_weekly else 1
    return round(days / unit) * unit


def estimate_ratio(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The ratio of the sums of pairs, and its standard error. With a single pair, the error is given as 0."""
    whole, count = sum(below for _, below in pairs), len(pairs)
    if not whole:
        return 0.0, 0.0
    ratio = sum(above for above, _ in pairs) / whole
    if count < 2:
        return ratio, 0.0
    squares = sum((above - ratio * below) ** 2 for above, below in pairs)
    return ratio, sqrt(count / (count - 1) * squares) / whole
