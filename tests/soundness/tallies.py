"""Tallies: findings beside harms.

A *false alarm* is a finding about a world that shows no harm at all. An *unconfirmed* finding is one whose own harm the
simulation does not show. Both must not happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from random import Random
from typing import NamedTuple

from prebuilds import Finding, FindingKind, Severity, check_settings
from prebuilds.whatif import check_supply
from soundness.harms import Harm, find_claim_harms, find_idle_harms
from soundness.worlds import World, draw_world

BATCH = 20
HARMS = {
    FindingKind.TTL_TOO_SHORT: Harm.WASTED,
    FindingKind.BUILD_DEADLINE_TOO_SHORT: Harm.GIVEN_UP,
    FindingKind.REFRESH_AHEAD_TOO_SHORT: Harm.DIPS,
    FindingKind.REFRESH_AHEAD_TOO_LONG: Harm.CHURN,
    FindingKind.REFRESH_HAS_NO_ROOM: Harm.DIPS,
    FindingKind.NEVER_SHRINKS: Harm.CONSTANT,
    FindingKind.OPENS_EMPTY: Harm.OPENS_EMPTY,
    FindingKind.BUDGET_BELOW_FLOORS: Harm.WITHHELD,
    FindingKind.BUDGET_CREATES_NOTHING: Harm.EMPTY,
    FindingKind.BUDGET_TOO_SLOW: Harm.WITHHELD,
    FindingKind.BUDGET_TOO_SLOW_FOR_CLAIMS: Harm.MISSES,
    FindingKind.TARGET_TOO_SMALL: Harm.MISSES,
    FindingKind.EMPTY_WHEN_CLAIMED: Harm.MISSES,
}


def find_findings(world: World) -> tuple[Finding, ...]:
    lead, budgets = world.typical, world.policy.budgets
    of_claims = check_supply(world.presets, world.claims, lead_time=lead, budgets=budgets)
    return (*check_settings(world.presets, lead_time=lead, budgets=budgets), *of_claims)


def is_confirmed(finding: Finding, findings: Sequence[Finding], harms: set[tuple[str, Harm]]) -> bool:
    """Whether its harm is seen, or may be hidden by what else is wrong with the preset or with a budget."""
    harm = HARMS[finding.kind]
    if any(seen is harm and name in ("", finding.preset_id or name) for name, seen in harms):
        return True
    others = [one for one in findings if one.kind is not finding.kind and one.severity is Severity.ERROR]
    return any(one.budget or one.preset_id == finding.preset_id for one in others)


class Judgement(NamedTuple):
    """What was found about one world, and what it shows."""

    seed: int
    findings: tuple[Finding, ...]
    harms: set[tuple[str, Harm]]


def judge(seed: int, *, needs_all: bool) -> Judgement:
    """Judge the world of a seed. Without `needs_all`, one that shows a harm early is left alone: it is not sound."""
    world = draw_world(Random(seed))
    harms = find_idle_harms(world, seed)
    if needs_all or not harms:
        harms |= find_claim_harms(world, seed)
    return Judgement(seed, find_findings(world) if needs_all or not harms else (), harms)


class Tally:
    """What was drawn and found so far."""

    def __init__(self) -> None:
        self.drawn = self.sound = 0
        self.found = Counter[FindingKind]()
        self.harms = Counter[Harm]()
        self.false_alarms: list[str] = []
        self.unconfirmed: list[str] = []

    def add(self, judgement: Judgement) -> None:
        seed, findings, harms = judgement
        self.drawn += 1
        self.sound += not harms
        self.found.update(finding.kind for finding in findings)
        self.harms.update({harm for _, harm in harms})
        if not harms:
            self.false_alarms += [f"seed {seed}: {finding}" for finding in findings]
        self.unconfirmed += [
            f"seed {seed}: {finding}: {harms}" for finding in findings if not is_confirmed(finding, findings, harms)
        ]

    def __str__(self) -> str:
        counts = [f"{kind.value:28}{self.found[kind]:6}" for kind in FindingKind]
        seen = [f"{harm.value:80}{self.harms[harm]:6}" for harm in Harm]
        wrong = f"{len(self.false_alarms)} false alarms, {len(self.unconfirmed)} unconfirmed findings"
        return "\n".join(
            [f"{self.drawn} fleets, {self.sound} sound: {wrong}", *self.false_alarms, *self.unconfirmed, *counts, *seen]
        )


def judge_fleets(sound: int, judged: int, run: Callable[..., Iterable[Judgement]] = map) -> Tally:
    """Judge so many fleets wholly, and then go on until so many are sound. `run` is `map`, or does the same faster."""
    tally = Tally()
    while tally.drawn < judged or tally.sound < sound:
        needs_all = tally.drawn < judged
        seeds = range(tally.drawn, min(tally.drawn + BATCH, judged) if needs_all else tally.drawn + BATCH)
        for judgement in run(partial(judge, needs_all=needs_all), seeds):
            tally.add(judgement)
    return tally
