"""A reconciler that has lost its lease does not even try its remaining effects."""

from __future__ import annotations

from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import BuildRequest, OutcomeStatus, Reconciler
from runtime.world import MINUTE, ScriptedBuilder, World, make_preset


def test_what_is_left_after_a_refused_write_is_not_tried() -> None:
    """For no preset: a reconciler that cannot record the result makes no more calls to the builder."""
    presets = [make_preset(id=name, desired_instances=1) for name in ("a", "b", "c")]
    world = World(*presets, store=MemoryStore(max_connections=2))  # so that one preset comes after the other
    second = Reconciler(world.store, ScriptedBuilder(world.reports), options=world.options)
    asked: list[str | None] = []

    def depose(request: BuildRequest) -> None:
        asked.append(request.preset_id)
        world.clock.advance(2 * MINUTE)
        second.reconcile_all()

    world.builder.on_submit = depose
    outcomes = [
        outcome for result in world.reconcile() for outcome in result.outcomes if outcome.effect.preset_id != "a"
    ]
    assert {(outcome.status, outcome.reason) for outcome in outcomes} == {
        (OutcomeStatus.SKIPPED, "the lease has been lost")
    }
    assert asked == ["a"]
