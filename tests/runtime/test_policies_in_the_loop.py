"""Policies through the whole loop: a target that is taken back, probes of several replicas, budgets of two leaders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Thread

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebuilds import HARDENED, Budget, BuildStatus, Policy, Transition
from prebuilds.adapters.memory import MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.runtime import Reconciler, ReconcilerOptions, Store
from runtime.world import HOUR, MINUTE, NOW, World, make_preset

BOOT = 20 * MINUTE
PROBING = Policy(probe_interval=10 * MINUTE)
STORES: list[Callable[[Path], Store]] = [
    lambda _: MemoryStore(),
    lambda folder: SQLiteStore(folder / "pool.db", survives_power_loss=False),
]


def count_ready(world: World) -> int:
    return sum(row.ready for row in world.list_prebuilds())


def count_under_way(world: World, transition: Transition) -> int:
    builds = [row.last_build for row in world.list_prebuilds()]
    return sum(build.transition is transition and not build.status.is_final for build in builds)


@pytest.mark.parametrize("make_store", STORES, ids=["memory", "sqlite"])
@pytest.mark.parametrize("has_begun", [False, True])
def test_field_case_28_taking_back_keeps_the_ready_ones(
    make_store: Callable[[Path], Store], has_begun: bool, tmp_path: Path
) -> None:
    """4 ready, 8 wanted for 5 minutes, then 4 again; boots take 20 minutes. What boots is canceled, or goes."""
    preset = make_preset(desired_instances=4)
    world = World(preset, store=make_store(tmp_path), policy=HARDENED)
    world.fill()
    kept = [row.id for row in world.list_prebuilds()]
    world.put(attrs.evolve(preset, desired_instances=8))
    world.reconcile()
    booting = [row.last_build.id for row in world.list_prebuilds() if row.id not in kept]
    if has_begun:
        assert all(map(world.reports.begin, booting))
    world.clock.advance(5 * MINUTE)
    world.put(preset)
    seen = set()
    for minute in range(30):
        world.reconcile()
        if has_begun and minute == (BOOT - 5 * MINUTE) // MINUTE:
            ended = [world.reports.succeed(build_id) for build_id in booting]
            assert ended == [True] * 4
        world.clock.advance(MINUTE)
        seen.add(count_ready(world))
    world.builder.finish()
    world.reconcile()
    assert seen == {4}
    assert [row.id for row in world.list_prebuilds()] == kept


def test_a_probe_that_hangs_does_not_hold_the_circuit(tmp_path: Path) -> None:
    """Two replicas on one file: one probe at a time; a hung one is given up at its deadline, and the next is tried."""
    store = SQLiteStore(tmp_path / "pool.db", survives_power_loss=False)
    world = World(make_preset(desired_instances=3, build_deadline=15 * MINUTE), store=store, policy=PROBING)
    fail_until_limited(world)
    other = Reconciler(store, world.builder, options=attrs.evolve(world.options, holder=None))
    begun: list[timedelta] = []
    known = {row.id for row in world.list_prebuilds()}
    for _ in range(60):
        race(world.reconciler, other)
        starts = {row.id: row for row in world.list_prebuilds() if not row.last_build.status.is_final}
        new = [row for name, row in starts.items() if name not in known]
        begun += [row.created_at - NOW for row in new]
        known |= starts.keys()
        assert sum(not row.retired for row in starts.values()) <= 1
        world.clock.advance(MINUTE)
    waits = {later - earlier for earlier, later in pairwise(begun)}
    assert len(begun) >= 2
    assert min(waits) >= 15 * MINUTE
    store.close()


def fail_until_limited(world: World) -> None:
    """An hour in which every start fails, with a pass each minute."""
    for _ in range(60):
        world.reconcile()
        for row in world.list_prebuilds():
            if row.last_build.transition is Transition.START and not row.last_build.status.is_final:
                world.reports.fail(row.last_build.id)
        world.builder.finish()
        world.clock.advance(MINUTE)


def race(*reconcilers: Reconciler) -> None:
    """All of them make a pass, as nearly at once as threads can."""
    barrier = Barrier(len(reconcilers))

    def work(reconciler: Reconciler) -> None:
        barrier.wait()
        reconciler.reconcile_all()

    threads = [Thread(target=work, args=(reconciler,)) for reconciler in reconcilers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


STEPS = st.lists(st.sampled_from(("first", "second", "finish", "claim", "minute", "takeover")), max_size=25)


@settings(max_examples=60)
@given(STEPS, st.integers(1, 3), st.integers(1, 4))
def test_no_interleaving_of_two_leaders_exceeds_a_budget(steps: list[str], starting: int, a_minute: int) -> None:
    """Passes of two replicas that take the lease over, builds that end, claims, and time, in any order."""
    budgets = [Budget(max_starting=starting, max_creates_per_minute=a_minute)]
    presets = [make_preset(id=f"p{number}", desired_instances=3) for number in range(3)]
    world = World(*presets, policy=Policy(budgets=budgets))
    options: ReconcilerOptions = attrs.evolve(world.options, holder=None)
    replicas = {"first": world.reconciler, "second": Reconciler(world.store, world.builder, options=options)}
    created: dict[str, timedelta] = {}
    for number, step in enumerate(steps):
        if step in replicas:
            replicas[step].reconcile_all()
        elif step == "finish":
            world.builder.finish()
        elif step == "claim":
            world.claim(f"dev{number}", preset_id="p1")
        else:
            world.clock.advance(HOUR if step == "takeover" else timedelta(seconds=20))
        created.update({row.id: row.created_at - NOW for row in world.list_prebuilds() if row.id not in created})
        assert count_under_way(world, Transition.START) <= starting
        for at in created.values():
            assert sum(at <= other < at + MINUTE for other in created.values()) <= a_minute


@given(st.integers(1, 12), st.integers(1, 5))
def test_every_preset_gets_its_turn_within_as_many_passes_as_it_takes(count: int, budget: int) -> None:
    """n presets that want one each, and a budget for each pass: all have theirs after ceil(n / budget) passes."""
    presets = [make_preset(id=f"p{number:02}", desired_instances=1) for number in range(count)]
    world = World(*presets, policy=Policy(budgets=[Budget(max_creates_per_pass=budget)]))
    for _ in range(-(-count // budget)):
        world.reconcile()
    rows = world.list_prebuilds()
    assert sorted(row.preset_id for row in rows) == [preset.id for preset in presets]
    assert {row.last_build.status for row in rows} == {BuildStatus.PENDING}
