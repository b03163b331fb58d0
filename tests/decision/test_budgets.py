"""Budgets: what presets create together, and who gets it (R18)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.examples import (
    HOUR,
    MICROSECOND,
    MINUTE,
    NOW,
    SECOND,
    make_backoff,
    make_fleet,
    make_in_progress,
    make_preset,
)
from prebuilds import (
    ActionType,
    Budget,
    BudgetScope,
    ChangeCause,
    Decision,
    Foreground,
    GlobalSnapshot,
    InProgress,
    InvalidValueError,
    Pending,
    Plan,
    Policy,
    Prebuild,
    Preset,
    RecentStarts,
    ReconciliationActions,
    Template,
    TemplateVersion,
    Transition,
    dump_plan,
    plan,
)
from prebuilds.decision.plans.planning import list_cells
from prebuilds.decision.policies.budgets import combine_budgets
from prebuilds.testing import strategies

TEMPLATE = TemplateVersion(template=Template(id="t", organization_id="o"))


def make_presets(count: int, *, desired: int) -> list[Preset]:
    return [make_preset(id=f"p{number:02}", desired_instances=desired) for number in range(count)]


def make_plan(snapshot: GlobalSnapshot, **limits: Any) -> Plan:
    return plan(snapshot, now=NOW, policy=Policy(budgets=[Budget(**limits)]))


def count_creates(decision: Decision) -> int:
    return sum(action.create for action in decision.actions)


def list_creates(made: Plan) -> list[int]:
    return [count_creates(decision) for decision in made]


def list_reasons(decision: Decision) -> list[tuple[str, int]]:
    return [(entry.label, entry.action.create) for entry in decision.withheld]


# What counts


def test_what_is_over_is_withheld_with_the_budgets_name() -> None:
    """The rest is done."""
    (decision,) = make_plan(make_fleet(make_preset(desired_instances=3, template_version=TEMPLATE)), **TEMPLATE_OF_TWO)
    assert decision.why == (
        "create 2: 3 wanted, 0 running",
        "withheld (budget template t): create 1: 3 wanted, 0 running",
    )


TEMPLATE_OF_TWO = {"scope": BudgetScope.TEMPLATE, "key": "t", "max_starting": 2}


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_starting": 8}, 5),  # two are starting, and users start one
        ({"max_instances": 12}, 4),  # one runs, two start, one is being deleted, and users have four
        ({"max_creates_per_pass": 3}, 3),
        ({"max_creates_per_minute": 7}, 2),  # five were begun within a minute
        ({"max_starting": 0}, 0),
        ({"max_starting": 100, "max_instances": 9}, 1),
    ],
)
def test_each_limit_counts_what_it_bounds(limits: dict[str, int], expected: int) -> None:
    """What users build themselves takes precedence."""
    snapshot = make_fleet(
        make_preset(desired_instances=50),
        running=[Prebuild(id="w", preset_id="p", created_at=NOW, ready=True)],
        in_progress=[make_in_progress(2), make_in_progress(1, Transition.DELETE)],
        foreground=[Foreground(starting=1, instances=4)],
        recent_starts=[
            RecentStarts(preset_id="p", begun_at=NOW - MINUTE, count=9),
            RecentStarts(preset_id="p", begun_at=NOW - MINUTE + MICROSECOND, count=5),
        ],
    )
    assert list_creates(make_plan(snapshot, **limits)) == [expected]


def test_a_budget_counts_its_scope_alone() -> None:
    """A template's budget leaves other templates alone, whoever builds with them."""
    snapshot = make_fleet(
        make_preset(id="a", template_version=TEMPLATE),
        make_preset(id="b"),
        foreground=[Foreground(template_id="t", starting=1), Foreground(template_id="u", starting=9)],
    )
    assert list_creates(make_plan(snapshot, scope=BudgetScope.TEMPLATE, key="t", max_starting=3)) == [2, 3]
    assert list_creates(make_plan(snapshot, scope=BudgetScope.ORGANIZATION, key="o", max_starting=1)) == [1, 3]


def test_a_preset_under_several_budgets_keeps_them_all() -> None:
    """The first that is used up is named."""
    budgets = [Budget(max_starting=9), Budget(**TEMPLATE_OF_TWO)]
    snapshot = make_fleet(make_preset(template_version=TEMPLATE), make_preset(id="q", desired_instances=9))
    made = plan(snapshot, now=NOW, policy=Policy(budgets=budgets))
    assert [list_reasons(decision) for decision in made] == [[("budget template t", 1)], [("budget fleet", 2)]]


def test_deletes_are_done_whatever_the_budget_says() -> None:
    """They come first, and make room."""
    old = Prebuild(id="w", preset_id="p", created_at=NOW - timedelta(days=9), ready=True)
    (decision,) = make_plan(make_fleet(make_preset(ttl=MINUTE), running=[old]), max_starting=0)
    assert [action.type for action in decision.actions] == [ActionType.DELETE]


def test_what_is_withheld_anyway_uses_up_no_budget() -> None:
    """A hard-limited preset leaves its part to the others."""
    snapshot = make_fleet(make_preset(id="a"), make_preset(id="b"), hard_limited=["a"])
    assert list_creates(make_plan(snapshot, max_starting=3)) == [0, 3]


# Who gets it


def test_field_case_6_every_preset_has_its_first_before_any_has_its_second() -> None:
    """40 presets want 25 each, 20 starts at a time: never more under way, and the firsts come before the seconds."""
    presets = make_presets(40, desired=25)
    there = {preset.id: 0 for preset in presets}
    for _ in range(50):
        running = [
            Prebuild(id=f"{name}-{number}", preset_id=name, created_at=NOW, ready=True)
            for name, count in there.items()
            for number in range(count)
        ]
        made = make_plan(make_fleet(*presets, running=running), max_starting=20)
        assert sum(list_creates(made)) == 20
        for decision in made:
            there[decision.preset_id] += count_creates(decision)
        assert max(there.values()) - min(there.values()) <= 1
    assert set(there.values()) == {25}


def test_the_smallest_share_of_the_target_comes_first() -> None:
    """Not the smallest number: 1 of 2 has more than 2 of 10. Ties go by id."""
    big, small = make_preset(id="big", desired_instances=10), make_preset(id="small", desired_instances=2)
    rows = [InProgress(preset_id="big", transition=Transition.START, count=2), make_in_progress_of("small", 1)]
    assert list_creates(make_plan(make_fleet(small, big, in_progress=rows), max_creates_per_pass=3)) == [0, 3]
    assert list_creates(make_plan(make_fleet(small, big, in_progress=rows), max_creates_per_pass=4)) == [0, 4]
    assert list_creates(make_plan(make_fleet(*make_presets(3, desired=5)), max_creates_per_pass=4)) == [2, 1, 1]


def make_in_progress_of(preset_id: str, count: int) -> InProgress:
    return InProgress(preset_id=preset_id, transition=Transition.START, count=count)


def test_every_preset_gets_its_turn() -> None:
    """In ceil(7 / 3) passes, one create each."""
    presets = make_presets(7, desired=1)
    started: set[str] = set()
    for _ in range(3):
        rows = [make_in_progress_of(name, 1) for name in sorted(started)]
        made = make_plan(make_fleet(*presets, in_progress=rows), max_creates_per_pass=3)
        started |= {decision.preset_id for decision in made if count_creates(decision)}
    assert len(started) == 7


def test_field_case_5_a_mistyped_count_leaves_others_their_part() -> None:
    """A pass creates at most `max_creates` for it, says so, and shares budgets as ever."""
    huge, small = make_preset(id="huge", desired_instances=1_000_000_000), make_preset(id="small")
    made = make_plan(make_fleet(huge, small), max_starting=10)
    assert list_creates(made) == [9, 1], "the first of each, and then the one that has the smaller share"
    assert list_reasons(made.decisions[0]) == [("max_creates", 999_999_000), ("budget fleet", 991)]


@given(data=st.data())
def test_no_budget_is_exceeded_and_no_delete_withheld(data: st.DataObject) -> None:
    """Law: with all creates done, every limit holds or was over before; what was planned is done or withheld."""
    now = data.draw(strategies.instants())
    snapshot = data.draw(strategies.global_snapshots(now=now))
    policy = data.draw(strategies.policies())
    budgets = data.draw(st.lists(strategies.budgets(), max_size=3, unique_by=lambda budget: budget.name))
    free = plan(snapshot, now=now, policy=policy)
    made = plan(snapshot, now=now, policy=attrs.evolve(policy, budgets=budgets))
    for without, decision in zip(free, made, strict=True):
        others = [action for action in decision.actions if not action.create]
        assert others == [action for action in without.actions if not action.create]
        over = sum(entry.action.create for entry in decision.withheld if entry.budget)
        assert count_creates(decision) + over == count_creates(without)
    for budget in budgets:
        assert_kept(budget, made, snapshot)
    for decision in made:  # nothing is withheld without need
        named = [budget for budget in budgets if budget.name in {entry.budget for entry in decision.withheld}]
        assert all(count_left(budget, made, snapshot) <= 0 for budget in named)


def assert_kept(budget: Budget, made: Plan, snapshot: GlobalSnapshot) -> None:
    assert count_left(budget, made, snapshot) >= 0 or not sum(count_creates(one) for one in list_own(budget, made))


def list_own(budget: Budget, made: Plan) -> list[Decision]:
    pairs = ((one, one.snapshot.preset.template_version.template) for one in made)
    return [one for one, template in pairs if budget.has(template.organization_id, template.id)]


def count_left(budget: Budget, made: Plan, snapshot: GlobalSnapshot) -> int:
    """What is left of the tightest limit after the creates; below 0 if it was over before."""
    own, told = list_own(budget, made), [row for row in snapshot.foreground if is_told(budget, row)]
    ids = {one.preset_id for one in own}
    creates = sum(count_creates(one) for one in own)
    rows = [row for row in snapshot.in_progress if row.preset_id in ids]
    starting = sum(row.count for row in rows if row.transition is Transition.START)
    running = sum(row.preset_id in ids for row in snapshot.running)
    recent = [row.count for row in snapshot.recent_starts if row.preset_id in ids and row.begun_at > made.now - MINUTE]
    used = {
        "max_starting": starting + sum(row.starting for row in told),
        "max_creates_per_pass": 0,
        "max_creates_per_minute": sum(recent),
        "max_instances": running + sum(row.count for row in rows) + sum(row.instances for row in told),
    }
    limits = {name: getattr(budget, name) for name in used}
    return min(limit - used[name] - creates for name, limit in limits.items() if limit is not None)


def is_told(budget: Budget, row: Foreground) -> bool:
    return budget.has(row.organization_id, row.template_id)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(1, 20))
def test_shares_are_max_min_fair(targets: list[int], most: int) -> None:
    """Law: whoever was refused has no larger share left to take from: nobody got one too many to give it one more."""
    presets = [make_preset(id=f"p{place}", desired_instances=target) for place, target in enumerate(targets)]
    creates = list_creates(make_plan(make_fleet(*presets), max_creates_per_pass=most))
    assert sum(creates) == min(sum(targets), most)
    for mine, target in zip(creates, targets, strict=True):
        if mine < target:
            assert all((their - 1) / size <= mine / target for their, size in zip(creates, targets, strict=True))


# Time


def test_a_minutes_budget_refills_to_the_microsecond() -> None:
    """When the first of the starts that it counted is a minute old; that is the next change."""
    recent = [RecentStarts(preset_id="p", begun_at=NOW - seconds * SECOND, count=1) for seconds in (50, 20)]
    snapshot = make_fleet(recent_starts=recent)
    made = make_plan(snapshot, max_creates_per_minute=2)
    assert list_creates(made) == [0]
    change = made.next_change
    assert change is not None
    assert (change.at, change.cause) == (NOW + 10 * SECOND, ChangeCause.BUDGET_REFILL)
    policy = made.decisions[0].policy
    assert list_creates(plan(snapshot, now=change.at - MICROSECOND, policy=policy)) == [0]
    assert list_creates(plan(snapshot, now=change.at, policy=policy)) == [1]


def test_time_alone_adds_nothing_to_a_budget_that_something_else_bounds() -> None:
    """Where starts must end first, the minute's end changes nothing."""
    recent = [RecentStarts(preset_id="p", begun_at=NOW, count=1)]
    made = make_plan(make_fleet(recent_starts=recent), max_starting=1, max_creates_per_minute=2)
    assert (list_creates(made), made.next_change) == ([1], None)


@given(data=st.data())
def test_no_plan_under_budgets_changes_before_its_next_change(data: st.DataObject) -> None:
    """R12 holds for the plan as a whole, as presets share budgets."""
    now = data.draw(strategies.instants())
    snapshot = data.draw(strategies.global_snapshots(now=now))
    budgets = data.draw(st.lists(strategies.budgets(), max_size=3, unique_by=lambda budget: budget.name))
    policy = attrs.evolve(data.draw(strategies.policies()), budgets=budgets)
    made = plan(snapshot, now=now, policy=policy)
    end = made.next_change_at or now + timedelta(days=400)
    assert plan(snapshot, now=end - MICROSECOND, policy=policy).decisions == made.decisions


# Slow start


@pytest.mark.parametrize(("attempts", "starting", "expected"), [(1, 0, 1), (2, 0, 2), (3, 0, 4), (3, 1, 3), (2, 5, 0)])
def test_after_failures_a_preset_starts_few_at_a_time(attempts: int, starting: int, expected: int) -> None:
    """1, then 2, then 4, those under way included. What it may not start is withheld."""
    backoff = attrs.evolve(make_backoff(9, NOW - timedelta(minutes=50)), failed_attempts=attempts)
    snapshot = make_fleet(
        make_preset(desired_instances=20), backoffs=[backoff], in_progress=[make_in_progress(starting)]
    )
    (decision,) = plan(snapshot, now=NOW, policy=Policy(slow_start=True))
    assert count_creates(decision) == expected
    assert list_reasons(decision) == [("slow_start", 20 - starting - expected)]
    assert count_creates(plan(snapshot, now=NOW).decisions[0]) == 20 - starting


def test_a_success_ends_a_slow_start() -> None:
    """No failed attempt in a row is left then."""
    snapshot = make_fleet(backoffs=[make_backoff(9, NOW - timedelta(minutes=50))])
    assert list_creates(plan(snapshot, now=NOW, policy=Policy(slow_start=True))) == [3]


# Values


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "Budget.max_starting: None is not allowed; it must be given, or another of max_creates_per_pass"),
        ({"max_starting": 1, "key": "t"}, "Budget.key: 't' is not allowed; it must be left out with the scope fleet"),
        ({"scope": BudgetScope.TEMPLATE, "max_starting": 1}, "Budget.key: '' is not allowed; it must be the id of one"),
        (
            {"max_creates_per_pass": 0},
            "Budget.max_creates_per_pass: 0 is not allowed; it must be a whole number from 1",
        ),
        ({"max_starting": -1}, "Budget.max_starting: -1 is not allowed"),
        ({"scope": "fleet", "max_starting": 1}, "it must be one of BudgetScope.FLEET"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(values: dict[str, Any], problem: str) -> None:
    """With the field, the value and what is allowed."""
    with pytest.raises(InvalidValueError, match=re.escape(problem)):
        Budget(**values)


def test_a_budget_of_a_store_replaces_the_policys_of_its_scope() -> None:
    """The others of both hold together, those of the store by name."""
    own = [Budget(max_starting=9), Budget(scope=BudgetScope.TEMPLATE, key="t", max_starting=1)]
    stored = [Budget(scope=BudgetScope.ORGANIZATION, key="o", max_instances=5), Budget(max_starting=2)]
    assert combine_budgets(own, stored) == (stored[1], own[1], stored[0])


def test_two_budgets_for_one_scope_are_refused() -> None:
    """Nobody could tell them apart."""
    with pytest.raises(InvalidValueError, match=r"Policy\.budgets: .* no two have the same scope and key"):
        Policy(budgets=[Budget(max_starting=1), Budget(max_instances=1)])


# Starts that are wanted no more


@pytest.mark.parametrize(
    ("desired", "running", "starting", "pending", "expected"),
    [(1, 0, 20, 20, 19), (1, 0, 20, 5, 5), (3, 2, 2, 2, 1), (3, 1, 2, 2, 0), (0, 0, 4, 4, 4), (1, 3, 2, 2, 2)],
)
def test_the_surplus_that_has_not_begun_is_canceled(
    desired: int, running: int, starting: int, pending: int, expected: int
) -> None:
    """No more than has not begun, and never what the target still needs beside what runs."""
    rows = [Prebuild(id=f"w{number}", preset_id="p", created_at=NOW, ready=True) for number in range(running)]
    snapshot = make_fleet(
        make_preset(desired_instances=desired),
        running=rows,
        in_progress=[make_in_progress(starting)],
        pending=[Pending(preset_id="p", count=pending)],
    )
    (decision,) = plan(snapshot, now=NOW, policy=Policy(cancel_surplus=True))
    assert sum(action.cancel for action in decision.actions) == expected
    assert not any(action.cancel for action in plan(snapshot, now=NOW).decisions[0].actions)


def test_a_cancel_says_how_many_and_why() -> None:
    """In words, in a table and as JSON."""
    rows = {"in_progress": [make_in_progress(4)], "pending": [Pending(preset_id="p", count=4)]}
    (decision,) = plan(make_fleet(make_preset(desired_instances=1), **rows), now=NOW, policy=CANCELING)
    assert decision.why == ("cancel 3 pending jobs: no longer wanted, 1 wanted, 0 running, 4 starting",)
    assert list_cells(decision)[-1] == "cancel 3 pending"
    assert dump_plan(plan(make_fleet(make_preset(desired_instances=1), **rows), now=NOW, policy=CANCELING))[
        "decisions"
    ][0]["actions"] == [{"type": "cancel_pending", "cancel": 3}]


CANCELING = Policy(cancel_surplus=True)


def test_only_a_cancel_has_a_count_of_cancels() -> None:
    """As every payload belongs to its type."""
    with pytest.raises(InvalidValueError, match=r"ReconciliationActions\.cancel: 1 .* left out with the type CREATE"):
        ReconciliationActions(type=ActionType.CREATE, create=1, cancel=1)


# Surge


@pytest.mark.parametrize(("surge", "deleting", "expected"), [(0, 0, 0), (1, 0, 1), (1, 1, 0), (9, 1, 2), (None, 9, 2)])
def test_what_is_there_stays_within_the_surge(surge: int | None, deleting: int, expected: int) -> None:
    """With what is being deleted: 3 wanted, one runs, one has expired and goes, one starts less or more."""
    rows = [Prebuild(id="new", preset_id="p", created_at=NOW, ready=True)]
    rows += [Prebuild(id=f"old{number}", preset_id="p", created_at=NOW - HOUR, ready=True) for number in range(2)]
    snapshot = make_fleet(
        make_preset(ttl=MINUTE, max_surge=surge),
        running=rows,
        in_progress=[make_in_progress(deleting, Transition.DELETE)],
    )
    (decision,) = plan(snapshot, now=NOW)
    assert decision.actions[0].delete_ids == ("old0", "old1")
    assert count_creates(decision) == expected
    assert list_reasons(decision) == ([] if expected == 2 else [("max_surge", 2 - expected)])


def test_filling_comes_before_replacing_ahead() -> None:
    """A preset that has all it wants, and wants to replace an aging one, has the larger share."""
    full = make_preset(id="a", desired_instances=1, ttl=HOUR, refresh_ahead=MINUTE)
    aging = Prebuild(id="w", preset_id="a", created_at=NOW - HOUR, ready=True)
    snapshot = make_fleet(full, make_preset(id="b", desired_instances=1), running=[aging])
    assert list_creates(make_plan(snapshot, max_creates_per_pass=1)) == [0, 1]
    assert list_creates(make_plan(snapshot, max_creates_per_pass=2)) == [1, 1]


def test_a_create_beyond_the_surge_says_what_bounds_it() -> None:
    """And a policy knows whether it counts the last minute."""
    rows = [make_in_progress(3, Transition.DELETE)]
    (decision,) = plan(make_fleet(make_preset(max_surge=0), in_progress=rows), now=NOW)
    assert decision.why == (
        "withheld (max_surge): create 3: 3 wanted, 0 running; with what is being deleted, at most 0 above the target "
        "may be there",
    )
    rates = [Budget(max_starting=1), Budget(max_creates_per_minute=1)]
    assert [Policy(budgets=[budget]).needs_recent_starts for budget in rates] == [False, True]
