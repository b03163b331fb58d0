"""Shards: each preset is in exactly one, and the reconciler of a shard leaves all other presets alone."""

from __future__ import annotations

from datetime import datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prebuilds import InvalidValueError, UnknownPresetError
from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.runtime import PREBUILDS_CHANGED, Message, PassStatus, Reconciler, ReconciliationResult, Shard
from prebuilds.testing import strategies
from runtime.world import MINUTE, NOW, World, make_preset

PRESETS = [make_preset(id=f"p{number}") for number in range(8)]


@given(preset_id=strategies.ids(), count=st.integers(1, 50))
def test_a_preset_is_in_one_shard(preset_id: str, count: int) -> None:
    """For any id and any number of shards."""
    assert sum(Shard(index=index, count=count).has(preset_id) for index in range(count)) == 1


def test_the_shard_of_a_preset_never_changes() -> None:
    """Replicas of different releases must agree, or two of them would work on one preset."""
    places = {
        name: index for name in ("p", "web", "größe") for index in range(5) if Shard(index=index, count=5).has(name)
    }
    assert places == {"p": 2, "web": 4, "größe": 3}


def test_shards_are_of_similar_size() -> None:
    """Of 10,000 presets in 8 shards none is a tenth off the mean."""
    shards = [Shard(index=index, count=8) for index in range(8)]
    sizes = [sum(shard.has(f"preset-{number}") for number in range(10_000)) for shard in shards]
    assert all(1_125 < size < 1_375 for size in sizes), sizes


@pytest.mark.parametrize(("index", "count"), [(-1, 2), (2, 2), (0, 0), (0, 1_025), (True, 2), (0, 2.0)])
def test_a_shard_that_cannot_be_is_refused(index: int, count: int) -> None:
    """The error names the field."""
    with pytest.raises(InvalidValueError, match=r"Shard\.(index|count)"):
        Shard(index=index, count=count)


def make_replica(world: World, shard: Shard) -> World:
    """Another reconciler of the same store, whose ids are its own."""
    replica = World(*PRESETS, store=world.store, shard=shard)
    new_id = replica.options.new_id
    options = attrs.evolve(replica.options, new_id=lambda: f"{shard.index}-{new_id()}")
    replica.reconciler = Reconciler(world.store, world.builder, options=options)
    return replica


def test_reconcilers_of_all_shards_fill_all_pools() -> None:
    """Each has a lease of its own, so that they work side by side, and no preset is worked on twice."""
    world = World(*PRESETS)
    replicas = [make_replica(world, Shard(index=index, count=3)) for index in range(3)]
    results = [replica.reconcile() for replica in replicas]
    assert [result.status for result in results] == [PassStatus.RECONCILED] * 3
    planned = [[decision.preset_id for decision in result.plan] for result in results if result.plan]
    assert sorted(name for names in planned for name in names) == [preset.id for preset in PRESETS]
    assert all(planned), "each shard has some"
    assert len(world.list_prebuilds()) == 2 * len(PRESETS)


def test_two_reconcilers_of_one_shard_take_turns() -> None:
    """Its lease is as any other."""
    world = World(*PRESETS)
    shard = Shard(index=0, count=2)
    assert make_replica(world, shard).reconcile().status is PassStatus.RECONCILED
    rival = World(*PRESETS, store=world.store, shard=shard)
    assert rival.reconcile().status is PassStatus.NOT_LEADER


def test_rows_of_another_shard_are_not_orphans() -> None:
    """Its rows are left out with its presets. Otherwise they would count as orphans (R1)."""
    world = World(*PRESETS)
    world.fill()
    plans = [make_replica(world, Shard(index=index, count=3)).reconcile().plan for index in range(3)]
    assert [plan.orphans for plan in plans if plan] == [0, 0, 0]
    assert sum(decision.state.actual for plan in plans if plan for decision in plan) == 2 * len(PRESETS)


def test_a_preset_of_another_shard_is_not_there() -> None:
    """Reconciling it by name is refused as for one that does not exist."""
    world = World(*PRESETS)
    shard = next(shard for index in range(2) if not (shard := Shard(index=index, count=2)).has("p0"))
    with pytest.raises(UnknownPresetError):
        make_replica(world, shard).reconciler.reconcile_preset("p0")


def test_a_message_of_another_shard_wakes_nobody() -> None:
    """One of its own does, and so does one that concerns all."""
    own = next(shard for index in range(2) if (shard := Shard(index=index, count=2)).has("p0"))
    foreign = next(preset.id for preset in PRESETS if not own.has(preset.id))
    world, pubsub = World(*PRESETS, shard=own), MemoryPubSub(MemoryStore())
    begun: list[datetime] = []

    def note(result: ReconciliationResult) -> None:
        begun.append(result.started_at)
        if len(begun) == 1:
            pubsub.publish(Message(topic=PREBUILDS_CHANGED, body=foreign))
        elif len(begun) == 2:
            pubsub.publish(Message(topic=PREBUILDS_CHANGED, body="p0"))
        else:
            reconciler.stop()

    reconciler = Reconciler(world.store, world.builder, options=world.options, pubsub=pubsub, on_result=note)
    reconciler.run()
    assert begun == [NOW, NOW + 5 * MINUTE, NOW + 5 * MINUTE]
