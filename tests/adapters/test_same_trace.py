"""The runtime cannot tell the stores apart: the same events lead to the same calls and the same rows on each."""

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
from prebuilds.runtime import Claim, Store

PRESETS = (make_preset(), make_preset(id="q", desired_instances=3, ttl=2 * HOUR))


COMMON = 6 * ("reconcile", "finish", "claim") + 3 * ("release", "resume")


def list_steps(world: World, random: Random, claimed: list[str]) -> dict[str, Callable[[], object]]:
    """What may happen next, each with what comes of it."""
    preset = random.choice(PRESETS)
    version = make_version(random.choice(["v1", "v1", "v2"]), is_active=random.random() < 0.7)
    parameters = {"size": random.choice(["small", "large"])}
    workspaces = [row.id for row in world.list_prebuilds()]
    one, ended = random.choice(workspaces or ["none"]), random.choice(claimed or workspaces or ["none"])

    def claim() -> object:
        name, request_id = f"n{random.randrange(20)}", f"r{random.randrange(30)}"
        made = answer(lambda: world.claim(name, preset_id=preset.id, request_id=request_id))
        if isinstance(made, Claim) and made.workspace:
            claimed.append(made.workspace.id)
        return made

    return {
        "reconcile": world.reconcile,
        "finish": lambda: world.builder.finish(succeed=random.random() < 0.8),
        "claim": claim,
        "promote": lambda: world.put(attrs.evolve(preset, template_version=version)),
        "change": lambda: world.put(attrs.evolve(preset, parameters=parameters)),
        "release": lambda: answer(lambda: world.controls.release(ended)),
        "forget": lambda: answer(lambda: world.controls.forget(ended)),
        "retire": lambda: answer(lambda: world.controls.retire(one)),
        "lose": lambda: world.reports.lose(one),
        "make unready": lambda: world.reports.make_unready(one),
        "pause": world.controls.pause,
        "resume": world.controls.resume,
        "invalidate": lambda: world.controls.invalidate(preset.id),
        "reset": lambda: world.controls.reset(preset.id),
        "pass time": lambda: world.clock.advance(random.choice([MINUTE, 10 * MINUTE, HOUR])),
    }


def answer(call: Callable[[], object]) -> object:
    """What a call returns, or raises."""
    try:
        return call()
    except (LookupError, ValueError) as error:
        return repr(error)


def trace(store: Store, seed: int) -> Sequence[object]:
    """What came of 80 steps, and what the store had after each."""
    random, world, claimed, seen = Random(seed), World(*PRESETS, store=store), list[str](), list[object]()
    for _ in range(80):
        steps = list_steps(world, random, claimed)
        name = random.choice([*steps, *COMMON])
        came = steps[name]()
        fleet = (world.list_presets(), world.list_prebuilds(), world.list_builds(), world.list_counters())
        seen.append((name, came, *fleet))
    return seen


@pytest.mark.parametrize("seed", range(12))
def test_every_store_gives_the_same_trace(seed: int, tmp_path: Path, database: Database) -> None:
    """Step by step, whole values compared; one worker, so that the order of a pass is that of its plan."""
    expected = trace(MemoryStore(max_connections=2), seed)
    with SQLiteStore(tmp_path / "store.db", max_connections=2) as sqlite:
        assert trace(sqlite, seed) == expected
    assert trace(database.make_store(max_connections=2), seed) == expected
