"""Random fleets, judged by simulating them: what harm each shows, and whether `check` finds the same.

- Fleets are drawn without a look at what `check` knows. Some are sound, many are not.
- A harm is read off the events of a simulation alone, once without claims and once with them.
- A *false alarm* is a finding about a fleet that shows no harm at all. An *unconfirmed* finding is one whose own harm
  the simulation does not show. Both must not happen.

`python tests/soundness.py [NUMBER]` draws fleets until so many are sound, and prints what it has found.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from enum import Enum
from random import Random
from typing import Any, NamedTuple

import attrs

from prebuilds import (
    HARDENED,
    Budget,
    BudgetScope,
    Finding,
    FindingKind,
    Policy,
    Preset,
    Schedule,
    Severity,
    Template,
    TemplateVersion,
    calculate_target,
    check_settings,
)
from prebuilds.whatif import (
    EventLog,
    FixedLeadTime,
    HoldReason,
    LeadTime,
    LognormalLeadTime,
    LossReason,
    Scenario,
    Trace,
    check_supply,
    generate_poisson,
    simulate,
)
from prebuilds.whatif.simulation.event_log import PrebuildOutcome
from prebuilds.whatif.simulation.lifetimes import Lifetimes, StepFunction
from prebuilds.whatif.traces.ticks import count_ticks, to_instant

BEGIN = datetime(2026, 11, 22, tzinfo=timezone.utc)  # a Sunday
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
CRONS = ("* 8-18 * * 1-5", "* * * * *", "* 9-11 * * *", "* 20-6 * * *", "* 6-21 * * *", "30-59 7 * * mon-sat", "* * * * 6,0")


class World(NamedTuple):
    """A fleet, its builds, and its claims."""

    presets: tuple[Preset, ...]
    policy: Policy
    lead_time: LeadTime
    claims: dict[str, Trace]
    interval: timedelta | None

    @property
    def typical(self) -> timedelta:
        """How long a build takes, as an author would say it."""
        return self.lead_time.quantile(0.5)


class Harm(Enum):
    """What a simulation shows of a fleet that does not work."""

    GIVEN_UP = "starts are given up"
    WASTED = "prebuilds expire before they are ready"
    EMPTY = "the pool is empty for a tenth of the time"
    OPENS_EMPTY = "nothing is ready when a window opens"
    DIPS = "prebuilds expire before their replacements are ready"
    CHURN = "prebuilds are being built for more than 0.7 of the time"
    CONSTANT = "the target never changes, and is above the preset's own count"
    WITHHELD = "a budget holds creates back for more than half of the time"
    MISSES = "more than 5 % of the claims find nothing ready"


HARMS = {
    FindingKind.TTL_TOO_SHORT: Harm.WASTED,
    FindingKind.BUILD_DEADLINE_TOO_SHORT: Harm.GIVEN_UP,
    FindingKind.REFRESH_AHEAD_TOO_SHORT: Harm.DIPS,
    FindingKind.REFRESH_AHEAD_TOO_LONG: Harm.CHURN,
    FindingKind.REFRESH_HAS_NO_ROOM: Harm.DIPS,
    FindingKind.NEVER_SHRINKS: Harm.CONSTANT,
    FindingKind.OPENS_EMPTY: Harm.OPENS_EMPTY,
    FindingKind.BUDGET_BELOW_FLOORS: Harm.WITHHELD,
    FindingKind.BUDGET_CREATES_NOTHING: Harm.WITHHELD,
    FindingKind.BUDGET_TOO_SLOW: Harm.WITHHELD,
    FindingKind.BUDGET_TOO_SLOW_FOR_CLAIMS: Harm.MISSES,
    FindingKind.TARGET_TOO_SMALL: Harm.MISSES,
    FindingKind.EMPTY_WHEN_CLAIMED: Harm.MISSES,
}


def draw_world(random: Random) -> World:
    lead = draw_duration(random, 0.5, 30)
    presets = tuple(draw_preset(random, f"p{number}", lead) for number in range(random.choice((1, 1, 1, 2, 3))))
    end = BEGIN + 2 * DAY
    return World(
        presets=presets,
        policy=attrs.evolve(random.choice((HARDENED, Policy())), budgets=draw_budgets(random)),
        lead_time=FixedLeadTime(duration=lead)
        if random.random() < 0.7
        else LognormalLeadTime(median=lead, p95=lead * random.uniform(1, 2)),
        claims={
            preset.id: generate_poisson(random.choice((0.2, 1, 4, 15)), begin=BEGIN, end=end, seed=random.getrandbits(32))
            for preset in presets
        },
        interval=random.choice((None, None, None, 2 * MINUTE)),
    )


def draw_duration(random: Random, least: float, most: float) -> timedelta:
    """Minutes between these two, each scale as likely as another."""
    return least * (most / least) ** random.random() * MINUTE


def draw_preset(random: Random, name: str, lead: timedelta) -> Preset:
    ttl = draw_duration(random, 5, 4_000) if random.random() < 0.5 else None
    settings: dict[str, Any] = {"ttl": ttl, "ttl_jitter": random.choice((0.0, 0.0, 0.1, 0.25))}
    if ttl and random.random() < 0.6:
        settings["refresh_ahead"] = draw_duration(random, 1, ttl / MINUTE + 1)
        settings["max_surge"] = random.choice((None, None, 0, 1, 4))
    for deadline in ("build_deadline", "ready_deadline"):
        settings[deadline] = draw_duration(random, 1, 300) if random.random() < 0.3 else None
    template = Template(id=random.choice(("t1", "t2")), organization_id="o")
    return Preset(
        id=name,
        desired_instances=random.choice((0, 1, 2, 3, 5, 8)),
        template_version=TemplateVersion(id="v", template=template),
        timezone=random.choice(("UTC", "Europe/Berlin", "America/New_York")),
        precedence="last_wins",
        schedules=draw_schedules(random, lead),
        **settings,
    )


def draw_schedules(random: Random, lead: timedelta) -> list[Schedule]:
    leads = (timedelta(), timedelta(), 5 * MINUTE, 45 * MINUTE, 2 * lead, 14 * 60 * MINUTE)
    return [
        Schedule(cron=random.choice(CRONS), instances=random.choice((0, 1, 3, 6)), lead=random.choice(leads))
        for _ in range(random.choice((0, 0, 0, 1, 1, 2)))
    ]


def draw_budgets(random: Random) -> list[Budget]:
    scopes = ((BudgetScope.FLEET, ""), (BudgetScope.TEMPLATE, "t1"))
    return [
        Budget(
            scope=scope,
            key=key,
            max_starting=random.choice((None, 0, 1, 2, 5, 20)),
            max_creates_per_minute=random.choice((None, None, 0, 1, 4)),
            max_instances=random.choice((5, 10, 30, 100)),
        )
        for scope, key in scopes
        if random.random() < 0.2
    ]


def find_findings(world: World) -> tuple[Finding, ...]:
    lead, budgets = world.typical, world.policy.budgets
    of_claims = check_supply(world.presets, world.claims, lead_time=lead, budgets=budgets)
    return (*check_settings(world.presets, lead_time=lead, budgets=budgets), *of_claims)


def find_harms(world: World, seed: int) -> set[tuple[str, Harm]]:
    """What the simulations show, each with the preset that suffers."""
    days = 8 if any(preset.schedules for preset in world.presets) else 4
    quiet = Trace(ticks=(), begin=BEGIN, end=BEGIN + days * DAY)
    scenario = Scenario(
        fleet=world.presets, lead_time=world.lead_time, policy=world.policy, interval=world.interval, starts_full=False
    )
    idle = simulate(scenario, {world.presets[0].id: quiet}, seed=seed)
    claimed = simulate(attrs.evolve(scenario, starts_full=True), world.claims, seed=seed)
    found = {(log.preset_id, harm) for log in idle.pools for harm in find_idle_harms(world, log)}
    found |= {("", Harm.WITHHELD) for share in [measure_withheld(idle.pools)] if share > 0.5}
    return found | {
        (log.preset_id, Harm.MISSES) for log in claimed.pools if len(log.missed) > 0.05 * len(log.claims)
    }


def find_idle_harms(world: World, log: EventLog) -> Iterator[Harm]:
    """What is seen without claims, once the pool has had time to be filled."""
    preset = log.presets[0].preset
    lives = Lifetimes(log)
    target = StepFunction([(after.at, after.desired - before) for before, after in list_steps(log)])
    if PrebuildOutcome.FAILED in log.outcomes:
        yield Harm.GIVEN_UP
    if count_wasted(log) > 0.05 * len(log.created):
        yield Harm.WASTED
    ticks = sorted({log.begin, log.end, *target.ticks, *lives.eligible.ticks, *lives.starting.ticks})
    since = log.begin + 2 * lives.longest_lead
    spans = [(at, until - at) for at, until in zip(ticks, ticks[1:], strict=False) if since <= at and until <= log.end]
    wanted = sum(span * target.find_count(at) for at, span in spans)
    empty = sum(span for at, span in spans if target.find_count(at) and not lives.eligible.find_count(at))
    if empty > 0.1 * sum(span for at, span in spans if target.find_count(at)):
        yield Harm.EMPTY
    if sum(span * lives.starting.find_count(at) for at, span in spans) > 0.7 * wanted:
        yield Harm.CHURN
    if preset.schedules and len({change.desired for change in log.targets}) == 1:
        if log.targets[0].desired > preset.desired_instances:
            yield Harm.CONSTANT
    if any(lives.eligible.find_count(at) == 0 for at in list_openings(preset, log) if at >= since):
        yield Harm.OPENS_EMPTY
    if preset.refresh_ahead and preset.ttl and count_dips(lives, target, log) > 0.1 * len(lives.lost[LossReason.EXPIRED]):
        yield Harm.DIPS


def list_steps(log: EventLog) -> list[tuple[int, Any]]:
    return list(zip((0, *(change.desired for change in log.targets)), log.targets, strict=False))


def count_wasted(log: EventLog) -> int:
    """How many prebuilds were deleted as expired in the very round that first saw them ready."""
    slack = log.interval or 0
    rows = zip(log.ended, log.gone, log.outcomes, strict=True)
    return sum(outcome is PrebuildOutcome.EXPIRED and gone <= ended + slack for ended, gone, outcome in rows)


def list_openings(preset: Preset, log: EventLog) -> list[int]:
    """When the target would rise from 0 if no window had a lead: from then on something should be ready."""
    bare = attrs.evolve(preset, schedules=[attrs.evolve(one, lead=timedelta()) for one in preset.schedules])
    half = count_ticks(30 * MINUTE)
    counts = [(at, calculate_target(bare, now=to_instant(at)).desired) for at in range(log.begin, log.end, half)]
    return [at for (_, before), (at, now) in zip(counts, counts[1:], strict=False) if now and not before]


def count_dips(lives: Lifetimes, target: StepFunction, log: EventLog) -> int:
    """At how many expiries fewer are ready than wanted, though the target has not just changed."""
    return sum(
        lives.eligible.find_count(at) < target.find_count(at)
        and bisect_right(target.ticks, at) == bisect_right(target.ticks, at - 3 * lives.longest_lead)
        for at in lives.lost[LossReason.EXPIRED]
    )


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


def is_confirmed(finding: Finding, findings: Sequence[Finding], harms: set[tuple[str, Harm]]) -> bool:
    """Whether its harm is seen, or may be hidden by what else is wrong with the preset or with a budget."""
    harm = HARMS[finding.kind]
    if any(seen is harm and name in ("", finding.preset_id or name) for name, seen in harms):
        return True
    others = [one for one in findings if one.kind is not finding.kind and one.severity is Severity.ERROR]
    return any(one.budget or one.preset_id == finding.preset_id for one in others)


def judge(seed: int) -> tuple[tuple[Finding, ...], set[tuple[str, Harm]]]:
    world = draw_world(Random(seed))  # noqa: S311
    return find_findings(world), find_harms(world, seed)


def main(wanted: int) -> int:
    drawn, sound = 0, 0
    found, confirmed, seen = Counter[str](), Counter[str](), Counter[str]()
    wrong = 0
    while sound < wanted:
        findings, harms = judge(drawn)
        sound += not harms
        for finding in findings:
            found[finding.kind.value] += 1
            if is_confirmed(finding, findings, harms) and harms:
                confirmed[finding.kind.value] += 1
            else:
                wrong += 1
                print(f"seed {drawn}: {'FALSE ALARM' if not harms else 'unconfirmed'}: {finding}; {harms}")
        seen.update(harm.name for _, harm in harms)
        drawn += 1
    print(f"{drawn} fleets drawn, {sound} sound, {wrong} findings wrong")
    for kind in FindingKind:
        print(f"{kind.value:30} {found[kind.value]:6} found {confirmed[kind.value]:6} confirmed")
    print(dict(seen))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3_000))
