"""Worlds: random fleets with their builds and claims, drawn without a look at what `check` knows.

Some are sound, many are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any, NamedTuple

import attrs

from prebuilds import HARDENED, Budget, BudgetScope, Policy, Preset, Schedule, Template, TemplateVersion
from prebuilds.whatif import FixedLeadTime, LeadTime, LognormalLeadTime, Trace, generate_poisson

BEGIN = datetime(2026, 11, 22, tzinfo=timezone.utc)  # a Sunday
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
CRONS = (
    "* 8-18 * * 1-5",
    "* * * * *",
    "* 9-11 * * *",
    "* 20-6 * * *",
    "* 6-21 * * *",
    "30-59 7 * * mon-sat",
    "* * * * 6,0",
)


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


def draw_world(random: Random) -> World:
    lead = draw_duration(random, 2, 40)
    presets = tuple(draw_preset(random, f"p{number}", lead) for number in range(random.choice((1, 1, 1, 2, 3))))
    return World(
        presets=presets,
        policy=attrs.evolve(random.choice((HARDENED, Policy())), budgets=draw_budgets(random)),
        lead_time=FixedLeadTime(duration=lead)
        if random.random() < 0.7
        else LognormalLeadTime(median=lead, p95=lead * random.uniform(1, 2)),
        claims=draw_claims(random, presets, lead),
        interval=random.choice((None, None, 2 * MINUTE)) if lead > 10 * MINUTE else None,
    )


def draw_claims(random: Random, presets: Sequence[Preset], lead: timedelta) -> dict[str, Trace]:
    """Claims for up to two days, in proportion to what a preset keeps and to how fast that is replaced."""
    begin = BEGIN + random.randrange(48) * 60 * MINUTE
    end = begin + draw_duration(random, 120, 2_880)
    most = 100 / ((end - begin) / (60 * MINUTE))
    rates = {
        preset.id: random.choice((0, 0.05, 0.2, 0.5, 2)) * find_most(preset) * (60 * MINUTE / lead)
        for preset in presets
    }
    return {
        name: generate_poisson(min(rate, most), begin=begin, end=end, seed=random.getrandbits(32))
        for name, rate in rates.items()
    }


def find_most(preset: Preset) -> int:
    return max([preset.desired_instances, *(schedule.instances for schedule in preset.schedules)])


def draw_duration(random: Random, least: float, most: float) -> timedelta:
    """Minutes between these two, each scale as likely as another."""
    return least * (most / least) ** random.random() * MINUTE


def draw_preset(random: Random, name: str, lead: timedelta) -> Preset:
    ttl = draw_duration(random, 10, 6_000) if random.random() < 0.5 else None
    settings: dict[str, Any] = {"ttl": ttl, "ttl_jitter": random.choice((0.0, 0.0, 0.1, 0.25))}
    if ttl and random.random() < 0.6:
        settings["refresh_ahead"] = draw_duration(random, 1, ttl / MINUTE + 1)
        settings["max_surge"] = random.choice((None, None, None, 0, 1, 4))
    for deadline in ("build_deadline", "ready_deadline"):
        settings[deadline] = draw_duration(random, 1, 300) if random.random() < 0.3 else None
    template = Template(id=random.choice(("t1", "t2")), organization_id="o")
    return Preset(
        id=name,
        desired_instances=random.choice((0, 1, 2, 2, 3, 5, 8)),
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
            max_creates_per_minute=random.choice((None, None, None, 0, 1, 4)),
            max_instances=random.choice((5, 10, 30, 100)),
        )
        for scope, key in scopes
        if random.random() < 0.2
    ]
