"""What people see of stuck, overdue and aging prebuilds: lines below the table of `status`, and gauges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from prebuilds import Policy
from prebuilds.commands.fleet.views import read_view
from prebuilds.runtime.metrics.readings import Gauges, Labels, take_reading
from runtime.world import HOUR, MINUTE, World, make_preset

TIMED = make_preset(
    desired_instances=2, ready_deadline=15 * MINUTE, build_deadline=HOUR, ttl=8 * HOUR, refresh_ahead=30 * MINUTE
)


def see(world: World) -> tuple[Sequence[str], Gauges]:
    """The notes, and the gauges of the only preset."""
    view = read_view(world.store, now=world.clock.now(), policy=Policy())
    reading = take_reading(world.store, world.clock, Policy())
    return view.notes, reading.gauges[Labels(template_name="template", preset_name="p", organization_name="org")]


def make_late(*, ready: bool = True, after: timedelta) -> World:
    """A world whose first two starts have ended, seen so much later."""
    world = World(TIMED)
    world.reconcile()
    world.builder.finish(ready=ready)
    world.clock.advance(after)
    return world


def test_stuck_prebuilds_are_told() -> None:
    """With the deadline that they missed, from that instant on."""
    assert see(make_late(ready=False, after=15 * MINUTE - timedelta(microseconds=1)))[0] == []
    notes, gauges = see(make_late(ready=False, after=15 * MINUTE))
    assert notes == ["p: 2 stuck (not ready 15 min after the start)."]
    assert gauges == Gauges(desired=2, stuck=2)


def test_overdue_starts_are_told() -> None:
    """They are no longer among those that are starting."""
    world = World(TIMED)
    world.reconcile()
    world.clock.advance(HOUR)
    notes, gauges = see(world)
    assert notes == ["p: 2 overdue (starts may take 1 h)."]
    assert gauges == Gauges(desired=2, overdue=2)


def test_aging_prebuilds_are_told() -> None:
    """They still serve users."""
    notes, gauges = see(make_late(after=8 * HOUR - 30 * MINUTE))
    assert notes == ["p: 2 aging (to expire within 30 min)."]
    assert gauges == Gauges(desired=2, running=2, eligible=2, aging=2)


def test_an_overdue_start_stays_told_when_the_deadline_is_gone() -> None:
    """It was given up, so it stays overdue until it ends. The preset backs off from its two failures meanwhile."""
    world = World(TIMED)
    world.reconcile()
    assert all(world.reports.begin(row.last_build.id) for row in world.list_prebuilds())
    world.clock.advance(HOUR)
    world.reconcile()
    world.put(make_preset(desired_instances=2))
    assert see(world)[0] == ["p backs off until 2026-11-23 10:32:00 UTC.", "p: 2 overdue (given up)."]
