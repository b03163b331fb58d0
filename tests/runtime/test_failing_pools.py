"""Pools whose builds fail, through the whole loop: classes of failures, growing waits, probes (R19)."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest

from prebuilds import BackoffKind, BuildStatus, FailureClass, InvalidValueError, Policy, Transition
from prebuilds.commands.fleet.views import read_view
from prebuilds.runtime import Reconciler
from runtime.world import HOUR, MINUTE, NOW, World, make_preset, make_version

PROBING = Policy(probe_interval=10 * MINUTE)
WAITING = Policy(backoff=BackoffKind.EXPONENTIAL, backoff_cap=10 * MINUTE)


def fail_all(world: World, failure: FailureClass = FailureClass.TRANSIENT, message: str = "") -> int:
    """Fail every start that is under way, finish every delete, and return how many starts there were."""
    starting = [row for row in world.list_prebuilds() if not row.last_build.status.is_final]
    starts = [row.last_build.id for row in starting if row.last_build.transition is Transition.START]
    for build_id in starts:
        world.reports.fail(build_id, failure=failure, message=message)
    world.builder.finish()
    return len(starts)


def count_starts(world: World) -> int:
    return len(world.builder.list_taken(Transition.START))


def list_notes(world: World, policy: Policy = PROBING) -> list[str]:
    return list(read_view(world.store, now=world.clock.now(), policy=policy).notes)


def pass_time(world: World, until: datetime, failure: FailureClass = FailureClass.TRANSIENT) -> list[datetime]:
    """Reconcile each minute, fail all starts, and return when there were any."""
    tried = []
    while world.clock.now() < until:
        world.reconcile()
        if fail_all(world, failure):
            tried.append(world.clock.now())
        world.clock.advance(MINUTE)
    return tried


def wait_for_a_probe(world: World) -> None:
    before = count_starts(world)
    while count_starts(world) == before:
        world.clock.advance(MINUTE)
        world.reconcile()


def fill(world: World) -> int:
    """Two passes with builds that succeed; how many are ready then."""
    for _ in range(2):
        world.reconcile()
        world.builder.finish()
    return sum(row.ready for row in world.list_prebuilds())


def test_a_report_keeps_why_a_build_failed() -> None:
    """On one line; and what is no class is refused."""
    world = World(make_preset(desired_instances=1))
    world.reconcile()
    assert world.reports.fail("0001", failure=FailureClass.CAPACITY, message="quota\nexceeded")
    (build,) = world.list_builds()
    assert (build.status, build.failure, build.message) == (
        BuildStatus.FAILED,
        FailureClass.CAPACITY,
        "quota exceeded",
    )
    with pytest.raises(InvalidValueError, match=r"BuildReports\.fail\.failure: 'capacity' is not allowed"):
        world.reports.fail("0001", failure="capacity")  # type: ignore[arg-type]


def test_a_start_that_was_refused_keeps_the_error() -> None:
    """What the builder raised is why the build failed."""
    world = World(make_preset(desired_instances=1))
    world.builder.error = ValueError("no such image")
    world.reconcile()
    assert [build.message for build in world.list_builds()] == ["ValueError: no such image"]


def test_field_case_7_a_template_that_cannot_be_built_is_limited_after_one_attempt() -> None:
    """`status` tells why, and a new version starts clean."""
    world = World(make_preset(desired_instances=2))
    world.reconcile()
    fail_all(world, FailureClass.CONFIGURATION, "no such image")
    assert pass_time(world, NOW + HOUR) == []
    assert list_notes(world, Policy())[0] == (
        "p is hard-limited: it creates nothing until it is reset; limited since 09:30: 2 builds failed, "
        "last: no such image."
    )
    world.put(make_preset(desired_instances=2, template_version=make_version("v2")))
    assert fill(world) == 2


def test_field_case_7_a_lack_of_capacity_is_waited_for() -> None:
    """Two hours: never limited, tried with growing waits up to the cap, and full within one wait after that."""
    world = World(make_preset(desired_instances=2), policy=WAITING)
    tried = pass_time(world, NOW + 2 * HOUR, FailureClass.CAPACITY)
    waits = [(later - earlier) // MINUTE for earlier, later in pairwise(tried)]
    assert waits == sorted(waits)
    assert set(waits[4:]) == {11}, "ten minutes, and up to one until the next pass"
    assert not any("hard-limited" in note for note in list_notes(world, WAITING))
    assert any("creates nothing now; no capacity, held until" in note for note in list_notes(world, WAITING))
    result = world.reconcile()
    assert result.next_change_at is not None
    world.clock.advance(result.next_change_at - world.clock.now())
    assert fill(world) == 2


def test_field_case_8_a_limited_preset_is_probed_and_filled_by_the_first_success() -> None:
    """One probe each ten minutes, nobody resets, and the first success fills the pool."""
    world = World(make_preset(desired_instances=3), policy=PROBING)
    limited_at = pass_time(world, NOW + HOUR)[2]
    tried = pass_time(world, NOW + 4 * HOUR)
    assert {later - earlier for earlier, later in pairwise(tried)} == {10 * MINUTE}
    assert count_starts(world) == 3 * 3 + (NOW + 4 * HOUR - limited_at) // (10 * MINUTE)
    wait_for_a_probe(world)
    world.builder.finish()
    assert fill(world) == 3
    assert list_notes(world) == []


def test_a_probe_is_never_doubled_by_replicas_that_take_turns() -> None:
    """Each sees the start of the other, whoever holds the lease."""
    world = World(make_preset(desired_instances=3), policy=PROBING)
    pass_time(world, NOW + HOUR)
    wait_for_a_probe(world)
    before = count_starts(world)
    for _ in range(5):
        world.reconciler.stop()
        world.reconciler = Reconciler(world.store, world.builder, options=world.options)
        world.clock.advance(30 * MINUTE)
        world.reconcile()
    assert count_starts(world) == before
