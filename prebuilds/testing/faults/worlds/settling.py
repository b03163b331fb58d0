"""Settling: once faults have stopped, one reconciler must put everything in order within a few passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from prebuilds.decision.models import PrebuildStatus, Preset
from prebuilds.runtime.controls import Controls
from prebuilds.testing.faults.worlds.commit_watch import Watch
from prebuilds.testing.faults.worlds.invariants import Invariant, Violated
from prebuilds.testing.faults.worlds.processes import INTERVAL, ReconcilerProcess
from prebuilds.testing.faults.worlds.store_contents import count_wanted, is_late
from prebuilds.testing.faults.worlds.verdicts import check_processes, list_changes
from prebuilds.testing.faults.worlds.world import World

_MOST_WAITS = 10  # more than the backoffs that end one after the other
_SOON = timedelta(minutes=10)  # only a backoff makes the loop wait for less


def settle(world: World, process: ReconcilerProcess, rounds: int) -> int:
    """Reconcile until a pass finds everything in order and writes nothing. Returns how many passes came before it.

    A pass after which a backoff ends soon does not count, as it leaves something to wait for; a few of these are
    allowed. Raises `Violated` after more than `rounds`.
    """
    taken, waits = 0, _MOST_WAITS
    while True:
        written = _pass(world, process)
        unsettled = list_unsettled(world)
        if not unsettled and (not written or world.hopeless):
            return taken
        is_waiting = _pass_time(world, process) and waits > 0
        waits -= is_waiting
        taken += not is_waiting
        if taken > rounds:
            raise _describe_unsettled(world, unsettled, written, rounds)


def list_unsettled(world: World) -> Sequence[tuple[Invariant, str]]:
    """What is not yet in order, leaks first."""
    watch = world.watch
    rows = [row for row in watch.read().workspaces.values() if row.preset_id not in world.hopeless]
    there = {row.id for row in rows if not row.deleted}
    names = [name for name in world.builder.resources if watch.get_preset_id(name) not in world.hopeless]
    made = set(filter(watch.has_made, names))
    wrong = [
        *((Invariant.NO_LEAK, f"{name} exists, and has no row") for name in sorted(made - there)),
        *((Invariant.NO_LEAK, f"{name} has a row, and does not exist") for name in sorted(there - made)),
    ]
    for preset in watch.contents.presets.values():
        if preset.id not in world.hopeless:
            wrong += _list_missing(watch, preset, world.clock.now())
    return wrong


def _list_missing(watch: Watch, preset: Preset, now: datetime) -> Sequence[tuple[Invariant, str]]:
    rows, wanted = watch.contents.list_prebuilds(preset.id), count_wanted(preset)
    good = [row for row in rows if row.is_running and row.ready and watch.is_good(row, preset)]
    if len(rows) == len(good) == wanted:
        return []
    late = [row.id for row in rows if is_late(row, preset, now)]
    if late:
        return [(Invariant.DEADLINES, f"{late[0]} of {preset.id} missed its deadline, and is still there")]
    seen = f"{preset.id} has {len(good)} that are ready, of {len(rows)} rows; its target is {wanted}"
    return [(Invariant.CONVERGES, seen)]


def _describe_unsettled(
    world: World, unsettled: Sequence[tuple[Invariant, str]], written: Sequence[str], rounds: int
) -> Violated:
    invariant, seen = unsettled[0] if unsettled else (Invariant.QUIET, f"everything in order, it wrote {written}")
    invariant = Invariant.NO_STARVATION if world.hopeless else invariant
    return Violated(invariant, f"{seen}, after {rounds} rounds without a fault")


def _pass(world: World, process: ReconcilerProcess) -> Sequence[str]:
    """One pass, and all builds that it asks for. Returns what it wrote, without the removal of sent messages."""
    count = len(process.injector.written)
    process.run()
    world.builder.work()
    check_processes(world)
    return list_changes(process.injector.written[count:])


def _pass_time(world: World, process: ReconcilerProcess) -> bool:
    """Sleep as the loop would, after a person has reset hard-limited presets. Returns whether a backoff was awaited."""
    for preset in world.watch.read().presets.values():
        if preset.prebuild_status is PrebuildStatus.HARD_LIMITED:
            Controls(world.store, clock=world.clock).reset(preset.id)
    result = process.results[-1] if process.results else None
    at = result.next_change_at if result else None
    wait = at - world.clock.now() if at else timedelta()
    is_soon = timedelta() < wait <= _SOON
    world.clock.advance(wait if is_soon else INTERVAL)
    return is_soon
