"""Harms: what is wrong with a world, read off the events of its simulation alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import Enum
from itertools import pairwise

import attrs

from prebuilds import Preset, calculate_target
from prebuilds.whatif import EventLog, HoldReason, LossReason, Scenario, Trace, simulate
from prebuilds.whatif.simulation.event_log import PrebuildOutcome
from prebuilds.whatif.simulation.lifetimes import Lifetimes, StepFunction
from prebuilds.whatif.traces.ticks import count_ticks, to_instant
from soundness.worlds import BEGIN, DAY, MINUTE, World


class Harm(Enum):
    """What a simulation shows of a fleet that does not work."""

    GIVEN_UP = "starts are given up"
    WASTED = "prebuilds expire before they are ready"
    EMPTY = "the pool is empty for a tenth of the time"
    OPENS_EMPTY = "nothing is ready when a window opens"
    DIPS = "prebuilds expire before their replacements are ready"
    CHURN = "prebuilds are built most of the time, or replaced in the first half of their ttl"
    CONSTANT = "the target never changes, and is above the preset's own count"
    WITHHELD = "a budget holds creates back for more than half of the time"
    MISSES = "more than 5 % of the claims find nothing ready"


def make_scenario(world: World, *, starts_full: bool) -> Scenario:
    return Scenario(
        fleet=world.presets,
        lead_time=world.lead_time,
        policy=world.policy,
        interval=world.interval,
        starts_full=starts_full,
    )


def find_harms(world: World, seed: int) -> set[tuple[str, Harm]]:
    """All that is seen, each with the preset that suffers; with an empty id for what several do."""
    return find_idle_harms(world, seed) | find_claim_harms(world, seed)


def find_claim_harms(world: World, seed: int) -> set[tuple[str, Harm]]:
    """What two days with claims show, with the preset that suffers. The pools are full at the start."""
    pools = simulate(make_scenario(world, starts_full=True), world.claims, seed=seed).pools
    return {(log.preset_id, Harm.MISSES) for log in pools if len(log.missed) > 0.05 * len(log.claims)}


def find_idle_harms(world: World, seed: int) -> set[tuple[str, Harm]]:
    """What days without claims show: a week if there are windows, and longer than any ttl. Pools are empty at first."""
    longest = max(preset.ttl or timedelta() for preset in world.presets)
    days = 8 if any(preset.schedules for preset in world.presets) else 3
    quiet = Trace(ticks=(), begin=BEGIN, end=BEGIN + max(days * DAY, 2.5 * longest))
    pools = simulate(make_scenario(world, starts_full=False), {world.presets[0].id: quiet}, seed=seed).pools
    withheld = {("", Harm.WITHHELD)} if measure_withheld(pools) > 0.5 else set()
    return withheld | {(log.preset_id, harm) for log in pools for harm in find_pool_harms(log)}


def find_pool_harms(log: EventLog) -> Iterator[Harm]:
    """What is seen without claims, once the pool has had time to be filled."""
    preset, lives, target = log.presets[0].preset, Lifetimes(log), make_target(log)
    if PrebuildOutcome.FAILED in log.outcomes:
        yield Harm.GIVEN_UP
    if count_wasted(log) > 0.05 * len(log.created):
        yield Harm.WASTED
    yield from find_gaps(log, lives, target)
    is_constant = len({change.desired for change in log.targets}) == 1
    if is_constant and log.targets[0].desired > preset.desired_instances:
        yield Harm.CONSTANT
    filled = log.begin + 2 * lives.longest_lead
    if any(lives.eligible.find_count(at) == 0 for at in list_openings(preset, log) if at >= filled):
        yield Harm.OPENS_EMPTY
    if preset.refresh_ahead and count_dips(log, lives, target) > 0.1 * len(list_expiries(log, lives)):
        yield Harm.DIPS


def make_target(log: EventLog) -> StepFunction:
    befores = (0, *(change.desired for change in log.targets))
    return StepFunction(
        [(after.at, after.desired - before) for before, after in zip(befores, log.targets, strict=False)]
    )


def find_gaps(log: EventLog, lives: Lifetimes, target: StepFunction) -> Iterator[Harm]:
    """How much of the time nothing is ready, and how much is built, where something is wanted."""
    ticks = sorted({log.begin, log.end, *target.ticks, *lives.eligible.ticks, *lives.starting.ticks})
    filled = log.begin + 2 * lives.longest_lead
    spans = [(at, until - at) for at, until in pairwise(ticks) if filled <= at and until <= log.end]
    open_spans = [(at, span) for at, span in spans if target.find_count(at)]
    empty = sum(span for at, span in open_spans if not lives.eligible.find_count(at))
    if empty > 0.1 * sum(span for _, span in open_spans):
        yield Harm.EMPTY
    wanted = sum(span * target.find_count(at) for at, span in open_spans)
    if sum(span * lives.starting.find_count(at) for at, span in spans) > 0.7 * wanted or is_replaced_early(log):
        yield Harm.CHURN


def count_wasted(log: EventLog) -> int:
    """How many prebuilds were deleted as expired in the very round that first saw them ready."""
    slack = log.interval or 0
    rows = zip(log.ended, log.gone, log.outcomes, strict=True)
    return sum(outcome is PrebuildOutcome.EXPIRED and gone <= ended + slack for ended, gone, outcome in rows)


def is_replaced_early(log: EventLog) -> bool:
    """Whether prebuilds that a refresh replaced lived for less than half of their ttl on average."""
    preset = log.presets[0].preset
    rows = zip(log.created, log.gone, log.outcomes, strict=True)
    lives = [gone - created for created, gone, outcome in rows if outcome is PrebuildOutcome.DELETED]
    if not (preset.ttl and preset.refresh_ahead) or len(log.targets) > 1 or not lives:
        return False
    return sum(lives) < count_ticks(preset.ttl) / 2 * len(lives)


def list_openings(preset: Preset, log: EventLog) -> list[int]:
    """When the target would rise from 0 if no window had a lead: from then on something should be ready."""
    bare = attrs.evolve(preset, schedules=[attrs.evolve(one, lead=timedelta()) for one in preset.schedules])
    half = count_ticks(30 * MINUTE)
    counts = [(at, calculate_target(bare, now=to_instant(at)).desired) for at in range(log.begin, log.end, half)]
    return [at for (_, before), (at, now) in pairwise(counts) if now and not before]


def count_dips(log: EventLog, lives: Lifetimes, target: StepFunction) -> int:
    """At how many expiries fewer are ready than wanted, though the target has not just changed."""
    return sum(
        lives.eligible.find_count(at) < target.find_count(at)
        and bisect_right(target.ticks, at) == bisect_right(target.ticks, at - 3 * lives.longest_lead)
        for at in list_expiries(log, lives)
    )


def list_expiries(log: EventLog, lives: Lifetimes) -> list[int]:
    return [at for at in lives.lost[LossReason.EXPIRED] if at <= log.end]


def measure_withheld(logs: Sequence[EventLog]) -> float:
    """For which share of the second half a budget held back the creates of some pool."""
    middle, end = (logs[0].begin + logs[0].end) // 2, logs[0].end
    changes: list[tuple[int, int]] = []
    for log in logs:
        for hold, until in zip(log.holds, [*(later.at for later in log.holds[1:]), end], strict=False):
            if hold.reason is HoldReason.BUDGET and until > middle:
                changes += [(max(hold.at, middle), 1), (until, -1)]
    held = StepFunction(changes)
    spans = zip(held.ticks, held.ticks[1:], strict=False)
    return sum(until - at for at, until in spans if held.find_count(at)) / (end - middle)
