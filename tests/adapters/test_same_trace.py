"""The stores are one to the runtime: whatever happens, it does the same on each, and finds the same there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import attrs
import pytest
from runtime.world import HOUR, MINUTE, World, make_preset, make_version
from servers import Database

from prebuilds.adapters.memory import MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.errors import NameTakenError
from prebuilds.runtime import Store

PRESETS = (make_preset(), make_preset(id="q", desired_instances=3, ttl=2 * HOUR))


def list_steps(world: World, random: Random) -> dict[str, Callable[[], object]]:
    """What may happen next, each with what comes of it."""
    preset = random.choice(PRESETS)
    version = make_version(is_active=random.random() < 0.7)

    def claim() -> object:
        try:
            return world.claim(f"n{random.randrange(20)}", preset_id=preset.id, request_id=f"r{random.randrange(30)}")
        except (NameTakenError, ValueError) as error:
            return repr(error)

    return {
        "reconcile": world.reconcile,
        "finish": lambda: world.builder.finish(succeed=random.random() < 0.8),
        "claim": claim,
        "promote": lambda: world.put(attrs.evolve(preset, template_version=version)),
        "pause": world.controls.pause,
        "resume": world.controls.resume,
        "invalidate": lambda: world.controls.invalidate(preset.id),
        "reset": lambda: world.controls.reset(preset.id),
        "pass time": lambda: world.clock.advance(random.choice([MINUTE, 10 * MINUTE, HOUR])),
    }


def trace(store: Store, seed: int) -> Sequence[object]:
    """What came of 60 steps, and what the store had after each."""
    random, world, seen = Random(seed), World(*PRESETS, store=store), list[object]()
    for _ in range(60):
        steps = list_steps(world, random)
        name = random.choice([*steps, "reconcile", "finish", "claim"])
        answer = steps[name]()
        fleet = (world.list_presets(), world.list_prebuilds(), world.list_builds(), world.list_counters())
        seen.append((name, answer, *fleet))
    return seen


@pytest.mark.parametrize("seed", range(12))
def test_every_store_gives_the_same_trace(seed: int, tmp_path: Path, database: Database) -> None:
    """Step by step, whole values compared; one worker, so that the order of a pass is that of its plan."""
    expected = trace(MemoryStore(max_connections=2), seed)
    with SQLiteStore(tmp_path / "store.db", max_connections=2) as sqlite:
        assert trace(sqlite, seed) == expected
    assert trace(database.make_store(max_connections=2), seed) == expected
