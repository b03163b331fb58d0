"""Supply: whether a fleet can keep up with past claims, as findings.

- Targets are replayed as if builds never failed, prebuilds never expired and no budget existed. Budgets are judged by
  how much they allow at the very most. So what is found here is missed in any simulation too, or more.
- Missed claims are those that find nothing ready, whatever their users do then.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from heapq import merge

from prebuilds.decision.judging.budgets import is_in_scope
from prebuilds.decision.judging.checking import require_build_time
from prebuilds.decision.judging.findings import Finding, FindingKind, find_in
from prebuilds.decision.judging.targets import follows_demand, list_counts
from prebuilds.decision.models import Preset
from prebuilds.decision.policies.budgets import MINUTE, Budget
from prebuilds.decision.wording import describe_count, describe_duration, describe_instant
from prebuilds.errors import UnknownPresetError
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.schedule_replay import TargetSteps, list_steps, replay
from prebuilds.whatif.sizing.sweeping import find_smallest, make_demand
from prebuilds.whatif.traces.argument_checks import require_share, require_trace
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import TICKS_PER_DAY, TICKS_PER_HOUR, count_ticks, to_instant
from prebuilds.whatif.traces.trace import Trace

_WIDTHS = (TICKS_PER_HOUR, TICKS_PER_DAY, 2**62)
"""Stretches of time in which claims and creates are compared: hours, days, and all at once."""


def check_supply(
    presets: Iterable[Preset],
    claims: Mapping[str, Trace],
    *,
    lead_time: timedelta,
    budgets: Iterable[Budget] = (),
    hit_rate: float = 0.9,
) -> tuple[Finding, ...]:
    """What keeps a fleet from serving this share of past claims at once, if a build takes `lead_time`.

    `claims` has a trace for each preset that has claims. Raises `UnknownPresetError` for claims of another preset, and
    `InvalidValueError` for a wrong argument.
    """
    fleet, goal = {preset.id: preset for preset in presets}, require_share("check_supply", "hit_rate", hit_rate)
    lead_time = require_build_time("check_supply", lead_time)
    demands = {one: _make_demand(fleet, one, trace, lead_time) for one, trace in claims.items()}
    claimed = {one: demand for one, demand in demands.items() if demand.claims}
    of_presets = (finding for one, demand in claimed.items() for finding in _check_target(fleet[one], demand, goal))
    of_budgets = (finding for budget in budgets for finding in _check_budget(budget, fleet, claimed, lead_time, goal))
    return (*of_presets, *of_budgets)


def _make_demand(fleet: Mapping[str, Preset], preset_id: str, trace: Trace, lead_time: timedelta) -> Demand:
    if preset_id not in fleet:
        raise UnknownPresetError(preset_id)
    checked = require_trace("check_supply", trace)
    return make_demand("check_supply", checked, lead_time, wake_delay=timedelta(), seed=0)


def _check_target(preset: Preset, demand: Demand, goal: float) -> Iterator[Finding]:
    if follows_demand(preset):
        return  # what its target would have been depends on what it has learned
    steps = list_steps(preset, demand.trace.begin, demand.trace.end)
    hits = sum(replay(demand, steps, OnMiss.COLD_START).hits)
    if hits >= goal * len(demand.claims):
        return
    closed = _list_closed(demand, steps)
    if len(closed) > (1 - goal) * len(demand.claims):
        yield _describe_closed(preset, demand, closed, goal)
    else:
        yield _describe_small(preset, demand, steps, hits, goal)


def _list_closed(demand: Demand, steps: TargetSteps) -> Sequence[int]:
    """The claims that come while the target is 0."""
    cuts = [*(bisect_left(demand.claims, at) for at, _ in steps), len(demand.claims)]
    stretches = zip(steps, cuts, cuts[1:], strict=False)
    return [claim for (_, target), begin, end in stretches if not target for claim in demand.claims[begin:end]]


def _describe_closed(preset: Preset, demand: Demand, closed: Sequence[int], goal: float) -> Finding:
    count, first = len(demand.claims), describe_instant(to_instant(closed[0]).replace(microsecond=0))
    message = (
        f"{_show(len(closed), count)} come while the target is 0, the first at {first}, and find nothing ready; keep "
        "1 or more at such times"
    )
    if not preset.is_active:
        message = f"{_show(len(closed), count)} find nothing ready, as the preset is inactive"
    return find_in(
        preset, "desired_instances", FindingKind.EMPTY_WHEN_CLAIMED, (1 - len(closed) / count, goal), message
    )


def _describe_small(preset: Preset, demand: Demand, steps: TargetSteps, hits: int, goal: float) -> Finding:
    """The share that finds nothing ready, beside the size that would reach the goal."""
    count, targets = len(demand.claims), [target for _, target in steps]
    low, high = min(targets), max(targets)
    kept = f"{low}" if low == high else f"{low} to {high}"
    enough = find_smallest(demand, OnMiss.COLD_START, goal).size
    message = (
        f"{_show(count - hits, count)} find nothing ready, as the target is {kept} and a build takes "
        f"{describe_duration(demand.lead_time.mean)}; {enough} at all times would serve {goal:.0%} at once"
    )
    return find_in(preset, "desired_instances", FindingKind.TARGET_TOO_SMALL, (hits / count, goal), message)


def _check_budget(
    budget: Budget, fleet: Mapping[str, Preset], demands: Mapping[str, Demand], lead_time: timedelta, goal: float
) -> Iterator[Finding]:
    own = [preset for preset in fleet.values() if is_in_scope(budget, preset)]
    claims = list(merge(*(demands[preset.id].claims for preset in own if preset.id in demands)))
    stock = sum(map(_find_stock, own))
    for limit, count_most in (("max_starting", _count_by_starting), ("max_creates_per_minute", _count_by_rate)):
        given = getattr(budget, limit)
        if given and claims:
            measure = partial(_count_hits, claims, stock, partial(count_most, lead_time=count_ticks(lead_time)))
            if measure(given) < goal * len(claims):
                yield _describe_budget(budget, limit, count=len(claims), measure=measure, goal=goal)


def _find_stock(preset: Preset) -> int:
    """The most prebuilds that the pool has ready at a time; an aging one may have its replacement beside it."""
    most = max(list_counts(preset))
    return most if preset.refresh_ahead is None else 2 * most


def _count_by_starting(limit: int, width: int, *, lead_time: int) -> int:
    """How many builds may end within this time: one at its begin in each place, and then one in each lead time."""
    return limit * (width // max(lead_time, 1) + 1)


def _count_by_rate(limit: int, width: int, *, lead_time: int) -> int:
    """How many builds may end within this time: those that begin in it, or a lead time before."""
    return limit * ((width + lead_time) // count_ticks(MINUTE) + 1)


def _count_hits(claims: Sequence[int], stock: int, count_most: Callable[[int, int], int], limit: int) -> int:
    """The most claims that prebuilds can serve under a limit: what was there or is built."""
    return min(
        sum(min(end - begin, stock + count_most(limit, span)) for begin, end, span in _list_stretches(claims, width))
        for width in _WIDTHS
    )


def _list_stretches(claims: Sequence[int], width: int) -> Iterator[tuple[int, int, int]]:
    """Stretches of claims that come within this width, by their places, and how long each lasts."""
    begin = 0
    while begin < len(claims):
        end = bisect_left(claims, claims[begin] + width)
        yield begin, end, claims[end - 1] - claims[begin]
        begin = end


def _describe_budget(budget: Budget, limit: str, *, count: int, measure: Callable[[int], int], goal: float) -> Finding:
    given: int = getattr(budget, limit)
    hits, needed = measure(given), given
    while measure(needed) < goal * count:
        needed *= 2
    needed = bisect_left(range(needed), goal * count, lo=given, key=measure)
    message = (
        f"{given} lets at most {_show(hits, count)} find a prebuild ready, however many are wanted; allow "
        f"{needed} or more"
    )
    return find_in(budget, limit, FindingKind.BUDGET_TOO_SLOW_FOR_CLAIMS, (given, needed), message)


def _show(part: int, whole: int) -> str:
    return f"{part:,} of {describe_count(whole, 'claim')} ({part / whole:.0%})"
