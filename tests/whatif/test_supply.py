"""Supply: whether targets and budgets can keep up with claims, and never an alarm about those that do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prebuilds import (
    Budget,
    BudgetScope,
    Finding,
    FindingKind,
    InvalidValueError,
    Policy,
    Preset,
    Schedule,
    UnknownPresetError,
)
from prebuilds.errors import PrebuildsError
from prebuilds.whatif import Autoscale, OnMiss, Scenario, Trace, check_supply, simulate, sweep
from whatif.scenarios import MINUTE

BEGIN = datetime(2026, 11, 23, 8, tzinfo=timezone.utc)  # a Monday
LEAD = 10 * MINUTE
STEADY = Trace.from_claims([BEGIN + 2 * number * MINUTE for number in range(60)])  # 5 within a build


def make_preset(**changes: Any) -> Preset:
    return Preset(**{"id": "p", "desired_instances": 1, **changes})


def check(preset: Preset, trace: Trace = STEADY, **given: Any) -> tuple[Finding, ...]:
    return check_supply([preset], {preset.id: trace}, **{"lead_time": LEAD, **given})


def test_a_target_that_is_too_small_is_told_beside_one_that_is_enough() -> None:
    """With the share that misses. By Little's law 1 place serves one claim in a lead time: 1 of 5."""
    assert check(make_preset()) == (
        Finding(
            kind=FindingKind.TARGET_TOO_SMALL,
            preset_id="p",
            setting="desired_instances",
            given=0.2,
            needed=0.9,
            message=(
                "48 of 60 claims (80%) find nothing ready, as the target is 1 and a build takes 10 min; 5 at all times "
                "would serve 90% at once"
            ),
        ),
    )
    assert check(make_preset(desired_instances=5)) == ()
    assert check(make_preset(), hit_rate=0.2) == ()


def test_claims_while_nothing_is_wanted_are_told_as_such() -> None:
    """If they alone are too many; otherwise the target is what is too small."""
    schedule = Schedule(cron="* 9 * * *", instances=9)
    preset = make_preset(desired_instances=0, schedules=[schedule], timezone="UTC")
    (finding,) = check(preset)
    assert (finding.kind, finding.given, finding.needed) == (FindingKind.EMPTY_WHEN_CLAIMED, 0.5, 0.9)
    assert finding.message == (
        "30 of 60 claims (50%) come while the target is 0, the first at 2026-11-23 08:00:00 UTC, and find nothing "
        "ready; keep 1 or more at such times"
    )
    (finding,) = check(preset, hit_rate=0.5)
    assert finding.kind is FindingKind.TARGET_TOO_SMALL
    assert "as the target is 0 to 9 and" in finding.message


def test_claims_of_an_inactive_preset_are_told_as_such() -> None:
    preset = make_preset(template_version=attrs.evolve(make_preset().template_version, is_active=False))
    (finding,) = check(preset)
    assert finding.message == "60 of 60 claims (100%) find nothing ready, as the preset is inactive"


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({"max_starting": 1}, [("max_starting", 1, 5)]),
        ({"max_starting": 5}, []),
        ({"max_creates_per_minute": 1}, []),
        ({"max_starting": 1, "max_instances": 99}, [("max_starting", 1, 5)]),
        ({"max_starting": 1, "scope": BudgetScope.TEMPLATE, "key": "other"}, []),
        ({"max_starting": 0}, []),
    ],
)
def test_a_budget_must_allow_what_claims_take(limits: dict[str, Any], found: list[tuple[str, int, int]]) -> None:
    """Of what is there at first, and what can be built: 1 at a time builds 12 in two hours, and 54 of 60 are wanted.

    A limit of 0 is found without claims.
    """
    told = check(make_preset(desired_instances=5), budgets=[Budget(**limits)])
    assert [(finding.setting, finding.given, finding.needed) for finding in told] == found
    assert {finding.kind for finding in told} <= {FindingKind.BUDGET_TOO_SLOW_FOR_CLAIMS}


def test_a_budget_counts_the_claims_of_all_its_presets() -> None:
    """Two presets with 10 claims a minute each, for half an hour, and a budget of 6 creates a minute."""
    trace = Trace.from_claims([BEGIN + number * MINUTE / 10 for number in range(300)])
    presets = [make_preset(id=name, desired_instances=200) for name in "ab"]
    budget = Budget(max_creates_per_minute=1)
    given = {"lead_time": LEAD, "budgets": [budget]}
    (finding,) = check_supply(presets, dict.fromkeys("ab", trace), **given)
    assert (finding.kind, finding.budget, finding.given) == (FindingKind.BUDGET_TOO_SLOW_FOR_CLAIMS, "fleet", 1)
    assert check_supply(presets, {"a": trace}, **given) == ()


def test_a_target_that_follows_demand_is_not_replayed() -> None:
    """What it would have been is not known. One that only looks is replayed."""
    scale = Autoscale(hit_rate=0.9, lead_time=LEAD, max_instances=6)
    assert check(make_preset(autoscale=scale)) == ()
    assert len(check(make_preset(autoscale=attrs.evolve(scale, acts=False)))) == 1


def test_no_claims_are_no_problem() -> None:
    empty = Trace(ticks=(), begin=BEGIN, end=BEGIN)
    assert check(make_preset(desired_instances=0), empty, budgets=[Budget(max_starting=1)]) == ()


@pytest.mark.parametrize(
    ("claims", "changes", "error"),
    [
        ({"q": STEADY}, {}, UnknownPresetError),
        ({"p": 5}, {}, InvalidValueError),
        ({"p": STEADY}, {"lead_time": 5}, InvalidValueError),
        ({"p": STEADY}, {"hit_rate": 0}, InvalidValueError),
    ],
)
def test_wrong_arguments_are_errors(
    claims: dict[str, Any], changes: dict[str, Any], error: type[PrebuildsError]
) -> None:
    with pytest.raises(error, match=r"'q'|check_supply"):
        check_supply([make_preset()], claims, **{"lead_time": LEAD, **changes})


claim_gaps = st.lists(st.integers(0, 20 * 60), min_size=1, max_size=40)


@given(gaps=claim_gaps, size=st.integers(0, 6), lead=st.integers(1, 30), hit_rate=st.sampled_from([0.5, 0.9, 1.0]))
def test_it_finds_exactly_what_misses(gaps: list[int], size: int, lead: int, hit_rate: float) -> None:
    """With a constant target, whenever the sweep of sizes has a lower hit rate, and only then."""
    instants = [BEGIN + timedelta(seconds=sum(gaps[: place + 1])) for place in range(len(gaps))]
    trace, lead_time = Trace.from_claims(instants), lead * MINUTE
    point = sweep(trace, lead_time, sizes=[size]).for_size(size)
    found = check(make_preset(desired_instances=size), trace, lead_time=lead_time, hit_rate=hit_rate)
    assert bool(found) is (point.hit_rate < hit_rate)


@given(
    gaps=claim_gaps,
    size=st.integers(0, 6),
    lead=st.integers(1, 30),
    limits=st.fixed_dictionaries(
        {
            "max_starting": st.none() | st.integers(1, 3),
            "max_creates_per_minute": st.integers(1, 2),
        }
    ),
    on_miss=st.sampled_from(OnMiss),
)
def test_a_budget_serves_no_more_than_it_is_said_to(
    gaps: list[int], size: int, lead: int, limits: dict[str, Any], on_miss: OnMiss
) -> None:
    """What is found about a budget is a bound: the simulation never has a higher hit rate than was asked for."""
    instants = [BEGIN + timedelta(seconds=sum(gaps[: place + 1]) / 20) for place in range(len(gaps))]
    trace, preset, budget = Trace.from_claims(instants), make_preset(desired_instances=size), Budget(**limits)
    found = check(preset, trace, lead_time=lead * MINUTE, budgets=[budget])
    if any(finding.budget for finding in found):
        policy = Policy(budgets=[budget])
        scenario = Scenario(fleet=preset, lead_time=lead * MINUTE, policy=policy, on_miss=on_miss)
        assert simulate(scenario, trace).hit_rate < 0.9
