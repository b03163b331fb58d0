"""Budgets kept in the store: people change them while the loop runs, and every pass keeps to what it reads (R18)."""

from __future__ import annotations

from pathlib import Path

import pytest

from prebuilds import Budget, BudgetScope, Policy
from prebuilds.adapters.memory import MemoryPubSub
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.errors import ShardedBudgetsError
from prebuilds.runtime import Controls, OutboxRelay, Reconciler, Shard
from prebuilds.runtime.build_reports import PREBUILDS_CHANGED
from runtime.world import MINUTE, World, make_preset

TEMPLATE = Budget(scope=BudgetScope.TEMPLATE, key="t", max_instances=9)


def make_world(count: int = 3, **options: object) -> World:
    return World(*(make_preset(id=f"p{number}", desired_instances=4) for number in range(count)), **options)


def count_creates(world: World) -> int:
    before = len(world.list_prebuilds())
    world.reconcile()
    return len(world.list_prebuilds()) - before


def test_a_budget_holds_from_the_next_pass_on() -> None:
    """Set, replaced and removed between passes, without a restart."""
    world = make_world()
    world.controls.set_budget(Budget(max_creates_per_pass=1))
    assert [count_creates(world), count_creates(world)] == [1, 1]
    world.controls.set_budget(Budget(max_creates_per_pass=3))
    assert count_creates(world) == 3
    assert world.controls.remove_budget(BudgetScope.FLEET) is True
    assert world.controls.remove_budget(BudgetScope.FLEET) is False
    assert count_creates(world) == 7


def test_a_budget_of_the_store_replaces_the_policys_of_its_name() -> None:
    """It may be looser or tighter. Budgets with other names hold beside each other."""
    policy = Policy(budgets=[Budget(max_creates_per_pass=2), TEMPLATE])
    world = make_world(policy=policy)
    world.controls.set_budget(Budget(max_creates_per_pass=5))
    assert [count_creates(world), count_creates(world)] == [5, 4], "the template's budget of 9 is the policy's"
    world.controls.remove_budget(BudgetScope.FLEET)
    world.controls.set_budget(Budget(scope=BudgetScope.TEMPLATE, key="t", max_instances=99))
    assert count_creates(world) == 2, "the policy's holds again"


def test_budgets_are_listed_by_name() -> None:
    """Those of the store alone."""
    world = make_world(policy=Policy(budgets=[Budget(max_starting=1)]))
    organization = Budget(scope=BudgetScope.ORGANIZATION, key="o", max_starting=0)
    for budget in (TEMPLATE, organization):
        world.controls.set_budget(budget)
    assert world.controls.list_budgets() == (organization, TEMPLATE)


def test_a_pass_for_one_preset_keeps_a_budget_that_is_new_to_the_reconciler() -> None:
    """It had no budget when it last looked, so it asked for one preset only. It reads the others before it creates."""
    world = make_world()
    world.reconciler.reconcile_preset("p0")
    world.controls.set_budget(Budget(max_instances=5))
    result = world.reconciler.reconcile_preset("p1")
    assert len(world.list_prebuilds()) == 5
    assert result.plan is not None
    assert [decision.preset_id for decision in result.plan] == ["p0", "p1", "p2"]


def test_passes_are_for_one_preset_again_once_the_last_budget_is_gone() -> None:
    """Cost follows change."""
    world = make_world()
    world.controls.set_budget(Budget(max_instances=5))
    world.reconcile()
    world.controls.remove_budget(BudgetScope.FLEET)
    for decided in (3, 1):
        result = world.reconciler.reconcile_preset("p1")
        assert result.plan is not None
        assert len(result.plan.decisions) == decided


def test_a_minutes_budget_of_the_store_counts_the_starts_of_the_last_minute() -> None:
    """The policy has no such limit, so the snapshot has the starts because of the store."""
    world = make_world()
    world.controls.set_budget(Budget(max_creates_per_minute=2))
    assert [count_creates(world), count_creates(world)] == [2, 0]


def test_a_shard_refuses_to_work_on_a_store_with_budgets() -> None:
    """Two shards would spend a budget twice. The error names the budgets; without them the shard works again."""
    world = make_world(shard=Shard(index=0, count=1))
    world.controls.set_budget(Budget(max_starting=1))
    world.controls.set_budget(TEMPLATE)
    for _ in range(2):
        with pytest.raises(ShardedBudgetsError) as raised:
            world.reconcile()
        assert str(raised.value) == (
            "the store has budgets, which no shard can keep alone: 'fleet', 'template t'; remove them, or use no shards"
        )
    assert world.list_prebuilds() == []
    for scope, key in ((BudgetScope.FLEET, ""), (BudgetScope.TEMPLATE, "t")):
        world.controls.remove_budget(scope, key)
    assert count_creates(world) == 12


def test_a_new_budget_wakes_the_loop() -> None:
    """A message about everything is sent after the commit."""
    world, pubsub, heard = make_world(), MemoryPubSub(), []
    pubsub.subscribe(PREBUILDS_CHANGED, lambda message: heard.append(message.body))
    controls = Controls(world.store, clock=world.clock, relay=OutboxRelay(world.store, pubsub))
    controls.set_budget(TEMPLATE)
    controls.remove_budget(BudgetScope.TEMPLATE, "t")
    assert heard == ["", ""]


def test_a_second_replica_keeps_a_budget_that_was_set_before_it_began() -> None:
    """Nothing about budgets is kept in a process."""
    world = make_world()
    world.controls.set_budget(Budget(max_instances=5))
    world.reconcile()
    world.clock.advance(2 * world.options.lease_duration)
    other = Reconciler(world.store, world.builder, options=world.options)
    other.reconcile_preset("p2")
    assert len(world.list_prebuilds()) == 5


def test_a_minutes_budget_counts_starts_that_were_claimed_since(tmp_path: Path) -> None:
    """Their builds succeeded, and a store may leave those out until it is known that a budget counts them."""
    with SQLiteStore(tmp_path / "pool.db") as store:
        world = World(make_preset(desired_instances=2), store=store)
        world.controls.set_budget(Budget(max_creates_per_minute=2))
        world.reconcile()
        world.builder.finish()
        assert [world.claim(name).workspace is not None for name in ("dev", "test")] == [True, True]
        assert [count_creates(world), count_creates(world)] == [0, 0]
        world.clock.advance(MINUTE)
        assert count_creates(world) == 2
