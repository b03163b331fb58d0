"""Leftovers: prebuilds whose last build failed, and when they are deleted."""

from __future__ import annotations

import pytest

from prebuilds import Transition
from runtime.world import HOUR, MINUTE, World, make_preset


@pytest.mark.parametrize("transition", [Transition.START, Transition.DELETE])
def test_a_failure_dated_by_a_fast_clock_causes_no_wait(transition: Transition) -> None:
    """Set right again, the clock would take a day to come to the instant of the failure; the pool is cleaned up now."""
    world = World(make_preset(desired_instances=0))
    world.put(make_preset(desired_instances=1))
    world.reconcile()
    if transition is Transition.DELETE:
        world.builder.finish()
        world.put(make_preset(desired_instances=0))
        world.reconcile()
    world.clock.advance(24 * HOUR)
    world.builder.finish(succeed=False)
    world.put(make_preset(desired_instances=0))

    right = World(make_preset(desired_instances=0), store=world.store, new_id=lambda: "again")
    right.clock.advance(HOUR)
    result = right.reconcile()
    assert [outcome.effect.request.transition for outcome in result.done] == [Transition.DELETE]
    right.builder.finish()
    right.clock.advance(MINUTE)
    assert (right.list_prebuilds(), right.reconcile().presets) == ([], ())


def test_a_start_that_was_given_up_before_the_builder_had_it_is_canceled() -> None:
    """It would never end by itself. Its workspace is deleted, as nobody knows whether the builder took it."""
    world = World(make_preset(desired_instances=1))
    world.builder.error = TimeoutError("no answer")
    world.reconcile()
    (lost,) = world.list_prebuilds()
    world.controls.invalidate("p")
    world.builder.error = None
    for _ in range(3):
        world.reconcile()
        world.builder.finish()
    (kept,) = world.list_prebuilds()
    assert (kept.id != lost.id, kept.is_running, world.get(lost.id).deleted) == (True, True, True)
    assert [workspace_id for workspace_id, _ in world.builder.list_taken(Transition.DELETE)] == [lost.id]
