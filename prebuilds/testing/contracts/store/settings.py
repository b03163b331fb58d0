"""Presets and what is noted about them; the pause, memberships and counters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from prebuilds.decision.models import PrebuildStatus, Preset
from prebuilds.decision.policies.budgets import Budget, BudgetScope
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.models import Counter, CounterValue
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import expect
from prebuilds.testing.contracts.equipment.generated_values import for_each
from prebuilds.testing.contracts.equipment.requests import DATA, INACTIVE, WEB, at, make_preset
from prebuilds.testing.contracts.equipment.scenes import put_presets
from prebuilds.testing.strategies import budgets

CHECKS: list[StoreCheck] = []
_FLEET = (BudgetScope.FLEET, "")
_LEFT_ALONE = "Presets that do not exist are ignored."


@store_check(CHECKS, "FleetReads.list_presets", "Every preset that may need or still have prebuilds")
def presets_are_listed_whole(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA)
    with lab.store.transaction(read_only=True) as tx:
        expect(sorted(tx.list_presets(), key=_get_id), [DATA, WEB], "list_presets()")


def _get_id(preset: Preset) -> str:
    return preset.id


@store_check(CHECKS, "FleetReads.list_presets", "including inactive ones")
def inactive_presets_are_listed(lab: Lab) -> None:
    presets = [attrs.evolve(preset, id=f"p{number}") for number, preset in enumerate(INACTIVE)]
    for preset in presets:
        put_presets(lab.store, preset)
        with lab.store.transaction(read_only=True) as tx:
            expect(tx.list_presets(preset.id), [preset], "list_presets() of an inactive preset")


@store_check(CHECKS, "FleetReads.list_presets", "With a `preset_id`, that preset alone; none if it is unknown.")
def one_preset_can_be_listed(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA)
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.list_presets("data"), [DATA], "list_presets('data')")
        expect(tx.list_presets("unknown"), [], "list_presets('unknown')")


@store_check(CHECKS, "FleetReads.list_presets", "in a stable order.")
def presets_keep_their_order(lab: Lab) -> None:
    names = ("m", "z", "a", "k")
    put_presets(lab.store, *map(make_preset, names))
    with lab.store.transaction() as tx:
        before = [preset.id for preset in tx.list_presets()]
        tx.put_preset(make_preset("z", is_active=False))
        tx.set_prebuild_status("m", PrebuildStatus.HARD_LIMITED)
        expect([preset.id for preset in tx.list_presets()], before, "the order, after presets were changed,")
    with lab.store.transaction(read_only=True) as tx:
        expect([preset.id for preset in tx.list_presets()], before, "the order, after the commit,")


@store_check(CHECKS, "SettingsWrites.put_preset", "Add a preset, or replace the one with its id.")
def a_preset_is_replaced(lab: Lab) -> None:
    changed = attrs.evolve(WEB, name="other", desired_instances=5, parameters={"size": "large"})
    put_presets(lab.store, attrs.evolve(WEB, parameters={"region": "eu", "size": "small"}), DATA)
    put_presets(lab.store, changed)
    with lab.store.transaction(read_only=True) as tx:
        expect(sorted(tx.list_presets(), key=_get_id), [DATA, changed], "the presets, one of them replaced,")


@store_check(CHECKS, "SettingsWrites.set_prebuild_status", "Set the status that people see of a preset's prebuilds.")
def a_prebuild_status_is_noted(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA)
    for status in reversed(PrebuildStatus):
        with lab.store.transaction() as tx:
            tx.set_prebuild_status("web", status)
        with lab.store.transaction(read_only=True) as tx:
            expect(tx.list_presets("web"), [attrs.evolve(WEB, prebuild_status=status)], "the preset")
            expect(tx.list_presets("data"), [DATA], "the other preset")


@store_check(
    CHECKS, "SettingsWrites.set_invalidated", "Note that all prebuilds created before this instant have expired."
)
def an_invalidation_is_noted(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA)
    for seconds in (0, 60):
        with lab.store.transaction() as tx:
            tx.set_invalidated("web", at=at(seconds))
        with lab.store.transaction(read_only=True) as tx:
            expect(tx.list_presets("web"), [attrs.evolve(WEB, last_invalidated_at=at(seconds))], "the preset")
            expect(tx.list_presets("data"), [DATA], "the other preset")


@store_check(CHECKS, "SettingsWrites.set_stage", "now active, a candidate (R17), or neither")
def a_stage_is_noted(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA)
    for is_active, is_candidate in ((False, True), (True, False), (False, False), (False, True), (False, False)):
        with lab.store.transaction() as tx:
            tx.set_stage("web", is_active=is_active, is_candidate=is_candidate)
        version = attrs.evolve(WEB.template_version, is_active=is_active, is_candidate=is_candidate)
        with lab.store.transaction(read_only=True) as tx:
            expect(tx.list_presets("web"), [attrs.evolve(WEB, template_version=version)], "the preset")
            expect(tx.list_presets("data"), [DATA], "the other preset")


@store_check(CHECKS, "FleetReads.read_rows", "`resets` says when each preset was last reset, as (preset id, instant)")
def the_last_reset_is_listed(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA, make_preset("never"))
    with lab.store.transaction() as tx:
        tx.set_reset("web", at=at(0))
        tx.set_reset("data", at=at(1))
    with lab.store.transaction() as tx:
        tx.set_reset("web", at=at(60))
    with lab.store.transaction(read_only=True) as tx:
        expect(sorted(tx.read_rows().resets), [("data", at(1)), ("web", at(60))], "the resets")
        expect(list(tx.read_rows(select("web")).resets), [("web", at(60))], "the resets of `web`")
        expect(tx.read_rows(select("never", "unknown")).resets, [], "the resets of others")


@store_check(CHECKS, "SettingsWrites", _LEFT_ALONE)
def unknown_presets_are_left_alone(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.set_prebuild_status("unknown", PrebuildStatus.HARD_LIMITED)
        tx.set_reset("unknown", at=at(0))
        tx.set_invalidated("unknown", at=at(0))
        tx.set_stage("unknown", is_active=True, is_candidate=False)
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.list_presets(), [], "the presets, after settings of one that is not there,")
        expect(tx.read_rows().resets, [], "the resets, after a reset of a preset that is not there,")


@store_check(CHECKS, "PauseWrites.set_paused", "Pause or resume reconciliation.")
def reconciliation_is_paused_and_resumed(lab: Lab) -> None:
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.read_rows().is_paused, False, "is_paused of a new store")
    for paused in (True, True, False, False, True):
        with lab.store.transaction() as tx:
            tx.set_paused(paused=paused)
        with lab.store.transaction(read_only=True) as tx:
            expect(tx.read_rows().is_paused, paused, "is_paused")


@store_check(CHECKS, "BudgetWrites.put_budget", "Add a budget, or replace the one with its scope and key.")
def a_budget_is_added_or_replaced(lab: Lab) -> None:
    names = (BudgetScope.TEMPLATE, "t"), (BudgetScope.ORGANIZATION, "t"), (BudgetScope.TEMPLATE, "T"), _FLEET
    first = [Budget(scope=scope, key=key, max_starting=3, max_instances=9) for scope, key in names]
    changed = Budget(scope=BudgetScope.TEMPLATE, key="t", max_creates_per_minute=0)
    _put_budgets(lab, first)
    _put_budgets(lab, [changed])
    expect(_list_budgets(lab), _sort([changed, *first[1:]]), "the budgets, one of them replaced,")


@store_check(CHECKS, "BudgetWrites.put_budget", "Add a budget")
def every_field_of_a_budget_is_kept(lab: Lab) -> None:
    def check(_: int, budget: Budget) -> None:
        _put_budgets(lab, [budget])
        kept = [each for each in _list_budgets(lab) if each.name == budget.name]
        expect(kept, [budget], "the budget put, after the commit,")

    for_each(budgets(), check)


@store_check(
    CHECKS, "BudgetWrites.remove_budget", "Remove the budget with this scope and key. Returns whether there was one."
)
def a_budget_is_removed_alone(lab: Lab) -> None:
    names = (BudgetScope.TEMPLATE, "t"), (BudgetScope.ORGANIZATION, "t"), (BudgetScope.TEMPLATE, "T"), _FLEET
    kept = [Budget(scope=scope, key=key, max_instances=9) for scope, key in names]
    _put_budgets(lab, kept)
    for scope, key in names:
        kept = [budget for budget in kept if (budget.scope, budget.key) != (scope, key)]
        for is_there in (True, False):
            with lab.store.transaction() as tx:
                expect(tx.remove_budget(scope, key), is_there, f"remove_budget({scope}, {key!r})")
            expect(_list_budgets(lab), _sort(kept), "the budgets, after one was removed,")


def _put_budgets(lab: Lab, put: Sequence[Budget]) -> None:
    with lab.store.transaction() as tx:
        for budget in put:
            tx.put_budget(budget)


def _list_budgets(lab: Lab) -> Sequence[Budget]:
    with lab.store.transaction(read_only=True) as tx:
        return _sort(tx.read_rows().budgets)


def _sort(listed: Iterable[Budget]) -> Sequence[Budget]:
    return sorted(listed, key=lambda budget: budget.name)


@store_check(
    CHECKS,
    "MembershipWrites.add_membership",
    "Make the prebuilds user a member of an organisation, if it is not one yet.",
)
def memberships_are_added_once(lab: Lab) -> None:
    for organization_id in ("o1", "o2", "o1"):
        with lab.store.transaction() as tx:
            tx.add_membership(organization_id)
    with lab.store.transaction(read_only=True) as tx:
        expect(sorted(tx.read_rows().memberships), ["o1", "o2"], "the memberships")


@store_check(CHECKS, "CounterWrites.list_counters", "Every counter that is not 0, in any order.")
def every_counter_is_listed(lab: Lab) -> None:
    put_presets(lab.store, WEB, DATA)
    for number, counter in enumerate(Counter, 1):
        for _ in range(number):
            with lab.store.transaction() as tx:
                tx.count("web", counter)
    with lab.store.transaction() as tx:
        tx.count("data", Counter.FAILED)
    expected = [CounterValue(preset_id="web", counter=counter, value=n) for n, counter in enumerate(Counter, 1)]
    expected.append(CounterValue(preset_id="data", counter=Counter.FAILED, value=1))
    with lab.store.transaction(read_only=True) as tx:
        expect(sorted(tx.list_counters(), key=_rank), sorted(expected, key=_rank), "list_counters()")


@store_check(CHECKS, "CounterWrites.count", "Add this many.")
def a_counter_grows_by_the_amount(lab: Lab) -> None:
    put_presets(lab.store, WEB)
    with lab.store.transaction() as tx:
        for amount, value in ((1, 1), (100, 101), (2, 103)):
            tx.count("web", Counter.CLAIMED, amount)
            expected = [CounterValue(preset_id="web", counter=Counter.CLAIMED, value=value)]
            expect(tx.list_counters(), expected, "list_counters()")


def _rank(value: CounterValue) -> tuple[str, str]:
    return value.preset_id, value.counter.value
