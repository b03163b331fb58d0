"""What `check` finds is so: a simulation shows the harm of each finding, and of a fleet without harm nothing is found.

`nox -s soundness` does the same with 3,000 sound fleets.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from soundness.harms import Harm, find_harms
from soundness.tallies import HARMS, find_findings, judge_fleets
from soundness.worlds import BEGIN, DAY, MINUTE, World

from prebuilds import Budget, FindingKind, Policy, Preset, Schedule
from prebuilds.whatif import FixedLeadTime, Trace, generate_poisson

LEAD = 10 * MINUTE
HOUR = 60 * MINUTE
DAYTIME = Schedule(cron="* 8-18 * * *", instances=2)
REFRESH: dict[str, Any] = {"ttl": 2 * HOUR, "refresh_ahead": LEAD}
KIND = FindingKind
DEFECTS: dict[str, tuple[FindingKind, dict[str, Any], dict[str, Any]]] = {
    "ttl": (KIND.TTL_TOO_SHORT, {"ttl": 9 * MINUTE}, {"ttl": DAY}),
    "jitter": (KIND.TTL_TOO_SHORT, {"ttl": 11 * MINUTE, "ttl_jitter": 0.4}, {"ttl": DAY, "ttl_jitter": 0.4}),
    "deadline": (KIND.BUILD_DEADLINE_TOO_SHORT, {"build_deadline": 9 * MINUTE}, {"build_deadline": 11 * MINUTE}),
    "ahead": (KIND.REFRESH_AHEAD_TOO_SHORT, {**REFRESH, "refresh_ahead": 9 * MINUTE}, REFRESH),
    "far ahead": (KIND.REFRESH_AHEAD_TOO_LONG, {**REFRESH, "refresh_ahead": 110 * MINUTE}, REFRESH),
    "no surge": (KIND.REFRESH_HAS_NO_ROOM, {**REFRESH, "max_surge": 0}, {**REFRESH, "max_surge": 2}),
    "full": (
        KIND.REFRESH_HAS_NO_ROOM,
        {**REFRESH, "budgets": [Budget(max_instances=2)]},
        {**REFRESH, "budgets": [Budget(max_instances=4)]},
    ),
    "always open": (
        KIND.NEVER_SHRINKS,
        {"schedules": [Schedule(cron="* * * * *", instances=5)]},
        {"schedules": [Schedule(cron="* 8-18 * * *", instances=5)]},
    ),
    "no lead": (
        KIND.OPENS_EMPTY,
        {"desired_instances": 0, "schedules": [DAYTIME]},
        {"desired_instances": 0, "schedules": [Schedule(cron="* 8-18 * * *", instances=2, lead=LEAD)]},
    ),
    "after a window": (
        KIND.OPENS_EMPTY,
        {"schedules": [Schedule(cron="* 20-6 * * *", instances=0)]},
        {"schedules": [Schedule(cron="* 20-6 * * *", instances=1)]},
    ),
    "instances": (
        KIND.BUDGET_BELOW_FLOORS,
        {"budgets": [Budget(max_instances=1)]},
        {"budgets": [Budget(max_instances=2)]},
    ),
    "no start": (
        KIND.BUDGET_CREATES_NOTHING,
        {"budgets": [Budget(max_starting=0)]},
        {"budgets": [Budget(max_starting=1)]},
    ),
    "starts": (
        KIND.BUDGET_TOO_SLOW,
        {"desired_instances": 14, "ttl": 2 * HOUR, "budgets": [Budget(max_starting=1)]},
        {"desired_instances": 14, "ttl": 20 * HOUR, "budgets": [Budget(max_starting=1)]},
    ),
    "rate": (
        KIND.BUDGET_TOO_SLOW,
        {"desired_instances": 50, "ttl": 40 * MINUTE, "budgets": [Budget(max_creates_per_minute=1)]},
        {"desired_instances": 50, "ttl": DAY, "budgets": [Budget(max_creates_per_minute=1)]},
    ),
    "claims": (
        KIND.BUDGET_TOO_SLOW_FOR_CLAIMS,
        {"desired_instances": 9, "rate": 20, "budgets": [Budget(max_starting=1)]},
        {"desired_instances": 9, "rate": 20, "budgets": [Budget(max_starting=9)]},
    ),
    "target": (KIND.TARGET_TOO_SMALL, {"rate": 12}, {"desired_instances": 9, "rate": 12}),
    "closed": (
        KIND.EMPTY_WHEN_CLAIMED,
        {"desired_instances": 0, "rate": 2, "schedules": [Schedule(cron="* 8-18 * * *", instances=9, lead=LEAD)]},
        {"desired_instances": 9, "rate": 2},
    ),
}


def make_world(rate: float = 0, budgets: Any = (), **settings: Any) -> World:
    """One preset that keeps 2 and whose builds take 10 minutes, with so many claims an hour for two days."""
    preset = Preset(**{"id": "p", "desired_instances": 2, "timezone": "UTC", **settings})
    claims: Trace = generate_poisson(rate, begin=BEGIN, end=BEGIN + 2 * DAY, seed=1)
    lead_time = FixedLeadTime(duration=LEAD)
    return World(
        presets=(preset,), policy=Policy(budgets=budgets), lead_time=lead_time, claims={"p": claims}, interval=None
    )


@pytest.mark.parametrize(("kind", "bad", "good"), DEFECTS.values(), ids=DEFECTS)
def test_what_is_found_does_harm(kind: FindingKind, bad: dict[str, Any], good: dict[str, Any]) -> None:
    """That very finding, and the simulation shows its harm. Without the defect there is neither."""
    assert {finding.kind for finding in find_findings(make_world(**bad))} == {kind}
    assert HARMS[kind] in {harm for _, harm in find_harms(make_world(**bad), seed=1)}
    assert find_findings(make_world(**good)) == ()
    assert HARMS[kind] not in {harm for _, harm in find_harms(make_world(**good), seed=1)}


def test_every_finding_has_its_defect_here() -> None:
    assert {kind for kind, _, _ in DEFECTS.values()} == set(FindingKind) == set(HARMS)


def test_a_sound_fleet_shows_no_harm() -> None:
    """So that the harms themselves raise no alarm: with a ttl, a window with a lead, a budget and claims."""
    lead = timedelta(minutes=15)
    window = Schedule(cron="* 8-18 * * 1-5", instances=12, lead=lead)
    settings = {"ttl": DAY, "ttl_jitter": 0.2, "refresh_ahead": lead, "build_deadline": HOUR, "ready_deadline": MINUTE}
    world = make_world(rate=12, budgets=[Budget(max_starting=9)], desired_instances=8, schedules=[window], **settings)
    assert find_harms(world, seed=1) == set()
    assert find_findings(world) == ()


def test_no_false_alarm() -> None:
    """Of random fleets: nothing is found about a sound one, and each finding about another is confirmed."""
    tally = judge_fleets(sound=15, judged=30)
    assert (tally.false_alarms, tally.unconfirmed) == ([], []), f"{tally}"
    assert len(tally.found) >= 5
    assert set(tally.harms) >= {Harm.DIPS, Harm.EMPTY, Harm.MISSES, Harm.OPENS_EMPTY}
