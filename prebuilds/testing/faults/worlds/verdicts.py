"""Judging a world: whether its processes did what they must not, and whether failures slowed down what is tried."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from prebuilds.decision.models import BuildStatus
from prebuilds.runtime.fleet_rows import select
from prebuilds.testing.faults.doubles.injection import Injector
from prebuilds.testing.faults.worlds.invariants import Invariant, Violated
from prebuilds.testing.faults.worlds.starting_states import FAILING, LATE, START
from prebuilds.testing.faults.worlds.world import World

_SECOND = timedelta(seconds=1)
_EVER = timedelta(days=3_650)


def check_processes(world: World) -> None:
    """Raises `Violated` for what the watch has seen, or for what a process did that it must not do."""
    if world.watch.violation:
        raise world.watch.violation
    for injector in world.injectors:
        _check_transactions(world, injector)
        written = list_changes(injector.written)
        if world.scenario.is_paused and injector.process.startswith("r") and written:
            raise Violated(Invariant.PAUSED, f"{injector.process} wrote {written}")


def _check_transactions(world: World, injector: Injector) -> None:
    if injector.crossed_inside:
        raise Violated(Invariant.OUTSIDE, f"{injector.process} called: {injector.crossed_inside[0].value}")
    if injector.begun_inside:
        raise Violated(Invariant.ONE_CONNECTION, f"{injector.process} had two transactions open at once")
    if injector.loose_reads and injector is not world.person.injector:  # a person plans nothing
        raise Violated(Invariant.ONE_MOMENT, f"{injector.process} read without REPEATABLE_READ")


def check_bounded(world: World) -> None:
    """Failed starts are retried after growing waits, by whichever clock the failures are dated. Raises `Violated`.

    With old snapshots, or when the loop's own clock jumps, the loop cannot know of its failures: nothing is checked.
    """
    scenario = world.scenario
    if scenario.jump or scenario.lag or scenario.hides:
        return
    passed = world.clock.now() - START + (scenario.reconcilers - 1) * scenario.skew * _SECOND
    for name in set(FAILING) & world.situations.keys():
        desired = world.situations[name].preset.desired_instances
        # A person who resets the preset, or replaces it, has it tried again.
        most = desired * (count_tries(passed, world.policy.backoff_interval) + len(scenario.events))
        tries = world.watch.count_added(name)
        if tries > most:
            seen = f"{tries} starts of {name} within {passed.total_seconds():g} s, where {most} would do"
            raise Violated(Invariant.BOUNDED, seen)


def check_noted(world: World) -> None:
    """What missed its deadline before the run counts as one failed build. Raises `Violated`.

    People may have changed the preset, or reset it, so that no failure counts any more.
    """
    for name in set(LATE) & world.situations.keys():
        with world.store.transaction(read_only=True) as tx:
            builds = tx.read_rows(select(name), ended_since=START - _EVER).builds
        failed = [build.id for build in builds if build.status is BuildStatus.FAILED and build.created_at < START]
        if len(failed) > 1 or not (failed or world.scenario.events):
            raise Violated(Invariant.NOTED_ONCE, f"the failed builds of {name} are {failed}")


def count_tries(passed: timedelta, interval: timedelta) -> int:
    """How often something may be tried in this time, if each failure makes the wait longer by an interval."""
    tries, waited = 1, interval
    while waited <= passed:
        tries += 1
        waited += tries * interval
    return tries


def list_changes(written: Sequence[str]) -> Sequence[str]:
    """The writes, without the removal of sent messages."""
    return [name for name in written if name != "delete_messages"]
