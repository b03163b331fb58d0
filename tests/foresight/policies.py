"""Policies: a single size, what `recommend` gives, and the policies of others, each tuned on the past of a case.

A policy of others has one number to tune, its *level*: the smallest with which it reaches the goal in a replay of the
last four weeks of the past. It keeps at most twice the size that missed nothing in the past: a goal that no level
reaches would have it keep any number. Where a policy needs to know how long a workspace is used, both a lead time and
an hour are tried, and the one that idles less is taken.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from math import inf

import attrs

from foresight.cases import Case
from prebuilds import Preset
from prebuilds.whatif import (
    BufferTarget,
    LastWeekTarget,
    RecentClaimsTarget,
    SizingOption,
    SpareTarget,
    TargetFunction,
    TargetReplay,
    WatermarkTarget,
    recommend,
)
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.schedule_replay import TargetSteps, list_steps
from prebuilds.whatif.targets.target_function import note_past
from prebuilds.whatif.targets.target_replay import replay_function
from prebuilds.whatif.traces.ticks import TICKS_PER_SECOND

HOUR = timedelta(hours=1)
TUNED = timedelta(weeks=4)
_MOST_LEVEL = 512
_GROWTH = 1.15
_STEEP = 64  # the highest level of those that grow by a factor: 7,700 times the first

MakeTarget = Callable[[int], TargetFunction]
"""Makes a fresh target function for a level. More of it never keeps less."""


@attrs.frozen(kw_only=True)
class Policy:
    """A policy as it was tuned. `is_expected` says whether it promised the goal; None if it promises nothing."""

    name: str
    make: Callable[[], TargetFunction]
    is_expected: bool | None = None


class StepTarget:
    """A target by the clock."""

    def __init__(self, steps: TargetSteps) -> None:
        self._starts = [at / TICKS_PER_SECOND for at, _ in steps]
        self._targets = [target for _, target in steps]

    def note(self, at: float, *, is_hit: bool) -> None:
        """A clock follows no claims."""

    def bounds(self, now: float) -> tuple[int, int]:
        target = self._targets[bisect_right(self._starts, now) - 1]
        return target, target

    def until(self, now: float) -> float:
        place = bisect_right(self._starts, now)
        return self._starts[place] if place < len(self._starts) else inf


class CappedTarget:
    """Another target, but at most this many."""

    def __init__(self, target: TargetFunction, most: int) -> None:
        self._target, self._most = target, most
        self.note, self.until = target.note, target.until

    def bounds(self, now: float) -> tuple[int, int]:
        low, high = self._target.bounds(now)
        return min(low, self._most), min(high, self._most)


def list_policies(case: Case) -> Iterator[Policy]:
    """Each policy, tuned. What `recommend` takes is last, under the name of what it took."""
    made = recommend(
        case.history.past,
        case.lead_time,
        hit_rate=case.goal,
        timezone=case.history.timezone,
        on_miss=case.on_miss,
        autoscale=True,
    )
    for option in made.options:
        yield _follow_option(case, option, option.kind.value)
    for name, makes in _list_others(case.lead_time, most=2 * case.past.enough).items():
        yield _tune(case, name, makes)
    yield _follow_option(case, made.chosen, RECOMMENDED)


RECOMMENDED = "recommended"


def _follow_option(case: Case, option: SizingOption, name: str) -> Policy:
    if option.fit is not None:
        return Policy(name=name, make=option.fit.follow, is_expected=option.is_reached)
    preset = option.apply_to(Preset(id="recommended", desired_instances=0))
    steps = list_steps(preset, case.history.rest.begin, case.history.rest.end)
    return Policy(name=name, make=lambda: StepTarget(steps), is_expected=option.is_reached)


def _list_others(lead_time: timedelta, most: int) -> dict[str, Sequence[MakeTarget]]:
    def make_spare(in_use: timedelta) -> MakeTarget:
        return lambda level: CappedTarget(SpareTarget(level, in_use=in_use), most)

    def make_watermarks(level: int) -> TargetFunction:
        return CappedTarget(WatermarkTarget(level, lead_time, most=most), most)

    def make_recent(level: int) -> TargetFunction:
        factor = lead_time / HOUR * (_grow(level) - 1)
        return CappedTarget(RecentClaimsTarget(factor, least=2, most=max(2, most)), most)

    def make_buffer(in_use: timedelta) -> MakeTarget:
        return lambda level: CappedTarget(BufferTarget(100 - 100 / _grow(level), least=2, in_use=in_use), most)

    return {
        "mitos: spare": [make_spare(in_use) for in_use in (lead_time, HOUR)],
        "OpenKruise: watermarks": [make_watermarks],
        "Coder: recent claims": [make_recent],
        "Agones: percentage": [make_buffer(in_use) for in_use in (lead_time, HOUR)],
        "last week": [lambda level: CappedTarget(LastWeekTarget(lead_time, level), most)],
    }


def _grow(level: int) -> float:
    return _GROWTH ** min(level, _STEEP)


def _tune(case: Case, name: str, makes: Sequence[MakeTarget]) -> Policy:
    """The level of each kind with which it reaches the goal; of these, the one that idles least, best those that do."""
    trace = case.history.past
    cut = max(trace.begin, trace.end - TUNED)
    before, recent = trace.split_at(cut)
    demand = attrs.evolve(case.past, trace=recent)
    tuned = [_find_level(case, make, before.ticks, demand) for make in makes]
    make, level, _ = min(tuned, key=lambda found: (found[2].hit_rate < case.goal, found[2].idle_hours))

    def make_fresh() -> TargetFunction:
        target = make(level)
        note_past(target, trace.ticks)
        return target

    return Policy(name=name, make=make_fresh)


def _find_level(
    case: Case, make: MakeTarget, before: Sequence[int], demand: Demand
) -> tuple[MakeTarget, int, TargetReplay]:
    """The smallest level that reaches the goal: doubled until it does, then halved. Some never do."""
    found: dict[int, TargetReplay] = {}

    def try_level(level: int) -> bool:
        if level not in found:
            target = make(level)
            note_past(target, before)
            found[level] = replay_function(demand, target, case.on_miss)
        return found[level].hit_rate >= case.goal

    high = 1
    while not try_level(high) and high < _find_most(demand):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if try_level(middle) else (middle, high)
    return make, high, found[high]


def _find_most(demand: Demand) -> int:
    return min(_MOST_LEVEL, max(_STEEP, demand.enough))
