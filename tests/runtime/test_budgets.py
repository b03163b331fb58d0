"""Budgets through the whole loop: never exceeded, by whichever passes and replicas (R18)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from prebuilds import Budget, InvalidValueError, Policy, Transition
from prebuilds.runtime import BuildRequest, NewPrebuild, Reconciler, ReconcilerOptions, Shard
from runtime.world import HOUR, MINUTE, SECOND, World, make_preset


def make_world(count: int, *, desired: int, **limits: Any) -> World:
    presets = [make_preset(id=f"p{number}", desired_instances=desired) for number in range(count)]
    return World(*presets, policy=Policy(budgets=[Budget(**limits)]))


def count_starting(world: World) -> int:
    builds = [row.last_build for row in world.list_prebuilds()]
    return sum(build.transition is Transition.START and not build.status.is_final for build in builds)


def count_by_preset(world: World) -> list[int]:
    rows = [row.preset_id for row in world.list_prebuilds()]
    return [rows.count(name) for name in sorted(set(rows))]


def test_field_case_6_no_more_starts_are_under_way_than_the_budget_allows() -> None:
    """Every preset gets its first prebuild before any gets its second, until all have what they want."""
    world = make_world(8, desired=5, max_starting=4)
    while world.reconcile().done:
        assert count_starting(world) <= 4
        assert max(count_by_preset(world)) - min(count_by_preset(world)) <= 1
        world.builder.finish()
    assert count_by_preset(world) == [5] * 8


def test_a_pass_for_one_preset_sees_what_the_others_use() -> None:
    """An event names one preset; the budget is the fleet's."""
    world = make_world(3, desired=4, max_starting=4)
    for name in ("p0", "p1", "p2"):
        world.reconciler.reconcile_preset(name)
    assert count_starting(world) == 4


def test_replicas_that_take_turns_keep_the_budget() -> None:
    """Each reads what the other has begun, whoever holds the lease."""
    world = make_world(3, desired=9, max_instances=5)
    others = [Reconciler(world.store, world.builder, options=world.options) for _ in range(2)]
    for _ in range(4):
        for reconciler in (world.reconciler, *others):
            reconciler.reconcile_all()
            world.clock.advance(2 * MINUTE)
    assert len(world.list_prebuilds()) == 5


def test_a_minutes_budget_counts_the_starts_of_the_last_minute() -> None:
    """Whatever became of them: ended, failed or claimed. The loop wakes when the first of them is a minute old."""
    world = make_world(1, desired=9, max_creates_per_minute=2)
    result = world.reconcile()
    assert len(world.list_prebuilds()) == 2
    world.builder.finish()
    world.claim(preset_id="p0")
    result = world.reconcile()
    assert result.plan is not None
    assert (result.done, result.plan.next_change_at) == ((), world.clock.now() + MINUTE)
    world.clock.advance(MINUTE - SECOND)
    assert world.reconcile().done == ()
    world.clock.advance(SECOND)
    assert len(world.reconcile().done) == 2


def test_budgets_and_shards_exclude_each_other() -> None:
    """Reconcilers of two shards would spend the same budget twice."""
    policy = Policy(budgets=[Budget(max_starting=1)])
    with pytest.raises(InvalidValueError, match=r"ReconcilerOptions\.shard: .* as the policy has budgets"):
        ReconcilerOptions(policy=policy, shard=Shard(index=0, count=2))


def test_a_look_back_shorter_than_a_minute_hides_no_start_from_a_minutes_budget() -> None:
    """The starts of a whole minute are read."""
    policy = Policy(backoff_lookback=SECOND, budgets=[Budget(max_creates_per_minute=1)])
    world = World(make_preset(desired_instances=3), policy=policy)
    world.reconcile()
    world.builder.finish()
    world.claim()
    world.clock.advance(timedelta(seconds=30))
    assert world.reconcile().done == ()


def test_field_case_29_starts_that_have_not_begun_and_are_wanted_no_more_are_canceled() -> None:
    """20 submitted, 2 of them begun, and the target falls to 1: the 18 go, the newest first, and no delete waits for
    a build.
    """
    world = World(make_preset(desired_instances=20), policy=Policy(cancel_surplus=True))
    world.reconcile()
    begun = [row.last_build.id for row in world.list_prebuilds()][:2]
    assert all(map(world.reports.begin, begun))
    world.put(make_preset(desired_instances=1))
    world.reconcile()
    assert [row.last_build.id for row in world.list_prebuilds() if not row.last_build.status.is_final] == begun
    assert not world.reports.begin("0039"), "the builder must not do what was canceled"
    world.reports.succeed(begun[0])
    world.reports.succeed(begun[1])
    for _ in range(3):
        world.reconcile()
        world.builder.finish()
    assert len(world.list_prebuilds()) == 1


def test_a_start_that_was_not_submitted_is_canceled_before_it_is() -> None:
    """A process died before it handed three starts over. What is wanted no more is not handed over; the rest is."""
    world = World(make_preset(desired_instances=1), policy=Policy(cancel_surplus=True))
    with world.store.transaction() as tx:
        assert len(tx.insert_prebuilds([request_start(number) for number in range(3)], now=world.clock.now())) == 3
    world.reconcile()
    assert world.builder.list_taken(Transition.START) == [("w0", "v1")]
    assert count_starting(world) == 1


def request_start(number: int) -> NewPrebuild:
    return NewPrebuild(
        name=f"prebuild-w{number}",
        request=BuildRequest(
            build_id=f"b{number}",
            workspace_id=f"w{number}",
            transition=Transition.START,
            preset_id="p",
            template_version_id="v1",
        ),
    )


def test_without_the_setting_every_start_is_waited_for() -> None:
    """As in the original."""
    world = World(make_preset(desired_instances=3))
    world.reconcile()
    world.put(make_preset(desired_instances=1))
    world.reconcile()
    assert count_starting(world) == 3


def test_a_pool_in_a_quota_of_its_own_replaces_one_place_at_a_time() -> None:
    """Without a surge nothing is created before what it replaces is gone, and nothing is refused for want of room."""
    world = World(make_preset(desired_instances=3, max_surge=0, ttl=8 * HOUR))
    world.fill()
    world.clock.advance(9 * HOUR)
    for _ in range(4):
        world.reconcile()
        assert len(world.list_prebuilds()) <= 3
        world.builder.finish()
    assert sum(row.ready for row in world.list_prebuilds()) == 3
