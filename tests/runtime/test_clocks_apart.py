"""People with wrong clocks: a change takes effect when it is committed, neither later nor earlier."""

from __future__ import annotations

from datetime import timedelta

import pytest
from decision.examples import HOUR, MINUTE, NOW, SECOND, make_preset

from prebuilds import Transition
from prebuilds.runtime import Controls
from prebuilds.testing import ManualClock
from runtime.world import World

CLOCKS = [timedelta(), 15 * MINUTE, -15 * MINUTE]


def ask(world: World, off: timedelta) -> Controls:
    """Controls of somebody whose clock is off by this much."""
    return Controls(world.store, clock=ManualClock(world.clock.now() + off))


@pytest.mark.parametrize("off", CLOCKS)
@pytest.mark.parametrize("age", [timedelta(), SECOND, HOUR])
def test_an_invalidation_covers_what_is_there_and_nothing_after(off: timedelta, age: timedelta) -> None:
    """However old it is: no user gets it, and it is replaced once."""
    world = World(make_preset(desired_instances=2))
    world.reconcile()
    world.builder.finish()
    world.clock.advance(age)
    ask(world, off).invalidate("p")
    assert world.claim().workspace is None
    for _ in range(3):
        world.reconcile()
        world.builder.finish()
        world.clock.advance(HOUR)
    assert [row.created_at for row in world.list_prebuilds()] == [NOW + age] * 2
    assert world.claim().workspace is not None


@pytest.mark.parametrize("off", CLOCKS)
@pytest.mark.parametrize("has_failed", [False, True])
def test_a_reset_forgives_what_has_failed_and_nothing_after(off: timedelta, has_failed: bool) -> None:
    """The next failure backs off again, though a clock that is ahead dated the reset after it."""
    world = World(make_preset(desired_instances=1))
    if has_failed:
        world.reconcile()
        world.builder.finish(succeed=False)
        world.clock.advance(SECOND)
    ask(world, off).reset("p")
    for _ in range(5):
        world.reconcile()
        world.builder.finish(succeed=False)
        world.clock.advance(SECOND)
    assert len(world.builder.list_taken(Transition.START)) == 1 + has_failed
