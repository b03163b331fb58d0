"""Lasting trouble: what fails for an hour, and what that may cost. And messages, which save the loop a wait."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

import attrs

from prebuilds.decision.models import PrebuildStatus, Transition
from prebuilds.decision.policies.policy import Policy
from prebuilds.runtime.claims import Claims
from prebuilds.runtime.controls import Controls
from prebuilds.runtime.models import BuildRequest
from prebuilds.runtime.publishing.relays import OutboxRelay
from prebuilds.testing.faults.doubles.builders import Script
from prebuilds.testing.faults.search.running import MakeStore, close, explained, quiet
from prebuilds.testing.faults.worlds.features import Feature
from prebuilds.testing.faults.worlds.invariants import Invariant, Violated
from prebuilds.testing.faults.worlds.processes import INTERVAL, ReconcilerProcess
from prebuilds.testing.faults.worlds.scenarios import FaultScenario
from prebuilds.testing.faults.worlds.settling import list_unsettled
from prebuilds.testing.faults.worlds.starting_states import Scene
from prebuilds.testing.faults.worlds.world import World

_HOUR = timedelta(hours=1)
_TEN_MINUTES = timedelta(minutes=10)
_MINUTE = timedelta(minutes=1)
_UNLIMITED = Policy(failure_hard_limit=0)


@attrs.frozen(kw_only=True)
class Law:
    """A rule for a world of one preset, the features that it needs, and its check."""

    name: str
    preset: str
    check: Callable[[World], None]
    policy: Policy = attrs.field(factory=Policy)
    failing: Transition | None = None
    host_skew: int = 0
    needs: frozenset[Feature] = frozenset()

    def script(self, request: BuildRequest) -> Script:
        """What happens to a build."""
        return Script.FAIL if request.transition is self.failing else Script.SUCCEED


def run_law(make_store: MakeStore, law: Law) -> None:
    """Check that a store keeps a law. Raises `BrokenInvariantError`."""
    store = make_store()
    try:
        with explained(f'replay_reconciler(make_store, "{law.name}")'), quiet():
            scenario = FaultScenario(situations=[law.preset], host_skew=law.host_skew)
            law.check(World(store, scenario, policy=law.policy, script=law.script))
    finally:
        close(store)


def list_laws(without: Collection[Feature]) -> Sequence[Law]:
    """The laws for a host that leaves these features out."""
    return [law for law in LAWS.values() if not law.needs & set(without)]


def _back_off(world: World) -> None:
    """Each failure makes the wait longer by an interval, so an hour has few tries."""
    at_once = _count_at_once(world)
    tries, waited = at_once, timedelta()
    while waited <= _HOUR:
        waited += tries * world.policy.backoff_interval
        tries += at_once
    _check_tries(world, tries)


def _reset_and_back_off(world: World) -> None:
    """A reset forgives the failures before it and none after it, whatever the clock of the person says."""
    process = ReconcilerProcess(world, world.inject("r1"))
    for _ in range(2):
        Controls(world.store, clock=world.host_clock).reset("grow")
        _pass_interval(world, process)
    tries = len(world.builder.failed)
    world.builder.failed.clear()
    if tries != 2 * _count_at_once(world):
        raise Violated(Invariant.BOUNDED, f"{tries} builds were tried after two resets")
    _back_off(world)


def _wait_for_room(world: World) -> None:
    """A lack of room is no failure: it limits nothing, and the pool fills once there is room."""
    has_room, process = world.builder.has_room, ReconcilerProcess(world, world.inject("r0"))
    world.builder.has_room = lambda _: False
    for _ in range(_TEN_MINUTES // INTERVAL):
        _pass_interval(world, process)
    world.builder.has_room = has_room
    for _ in range(2):
        _pass_interval(world, process)
    unsettled = list_unsettled(world)
    if unsettled:
        raise Violated(unsettled[0][0], f"{unsettled[0][1]}, half a minute after there was room again")


def _pass_interval(world: World, process: ReconcilerProcess, interval: timedelta = INTERVAL) -> None:
    process.run()
    world.builder.work()
    world.clock.advance(interval)


def _come_to_an_end(world: World) -> None:
    """After too many failed attempts in a row, no more are made. The builds of one pass are one attempt."""
    _check_tries(world, world.policy.failure_hard_limit * _count_at_once(world))


def _count_at_once(world: World) -> int:
    """The most builds that one pass begins."""
    return max(preset.desired_instances for preset in world.watch.read().presets.values())


def _check_tries(world: World, most: int) -> None:
    process = ReconcilerProcess(world, world.inject("r0"))
    interval = _MINUTE if world.scenario.host_skew else INTERVAL  # enough where clocks are minutes apart
    for _ in range(_HOUR // interval):
        _pass_interval(world, process, interval)
    tries = len(world.builder.failed)
    if not 1 < tries <= most:
        raise Violated(Invariant.BOUNDED, f"{tries} builds failed within an hour, where 2 to {most} would do")


def _wake(world: World) -> None:
    """A message tells the loop of a claim, and the loop replaces the prebuild before its interval is over."""
    claims = Claims(world.store, clock=world.clock)

    def claim_once() -> None:
        if not world.watch.read().workspaces.keys() - {row.id for row in world.watch.read().list_prebuilds("steady")}:
            claims.claim("steady", owner_id="u", name="mine")
            OutboxRelay(world.store, world.pubsub).flush()

    ReconcilerProcess(world, world.inject("r0"), on_rest=claim_once).run(2)
    if len(world.watch.read().list_prebuilds("steady")) < 2 or world.clock.monotonic() > 0:
        raise Violated(Invariant.WAKES, "a claim was told to the loop, which waited for its interval all the same")


def _unmark(world: World) -> None:
    """When an open build of a hard-limited preset succeeds, the preset loses the mark."""
    process = ReconcilerProcess(world, world.inject("r0"))
    process.run()
    with world.store.transaction() as tx:
        scene = Scene(tx, world.builder.resources, world.host)
        scene.run(world.situations["limited"].preset, "late", at=world.clock.now())
    process.run()
    status = world.watch.read().presets["limited"].prebuild_status
    if status is not PrebuildStatus.HEALTHY:
        raise Violated(Invariant.CONVERGES, f"the last build has succeeded, and the preset is still {status.value}")


_CLOCKS = (("ahead", 900), ("behind", -900))
"""How many seconds the host's clock is off, by the name that laws have for it."""


def _fail_starts(name: str, check: Callable[[World], None], *, policy: Policy = _UNLIMITED, host_skew: int = 0) -> Law:
    """A law of a preset that grows, where every start fails."""
    needs = frozenset({Feature.HISTORY})
    return Law(
        name=f"failed_starts_{name}",
        preset="grow",
        check=check,
        policy=policy,
        failing=Transition.START,
        host_skew=host_skew,
        needs=needs,
    )


LAWS = {
    law.name: law
    for law in (
        _fail_starts("back_off", _back_off),
        _fail_starts("come_to_an_end", _come_to_an_end, policy=Policy()),
        *(_fail_starts(f"back_off_by_a_clock_{name}", _back_off, host_skew=skew) for name, skew in _CLOCKS),
        *(
            _fail_starts(f"back_off_after_a_reset_by_a_clock_{name}", _reset_and_back_off, host_skew=skew)
            for name, skew in _CLOCKS
        ),
        _fail_starts("come_to_an_end_by_a_clock_ahead", _come_to_an_end, policy=Policy(), host_skew=900),
        Law(name="no_room_is_no_failure", preset="grow", check=_wait_for_room),
        Law(name="failed_deletes_back_off", preset="shrink", check=_back_off, failing=Transition.DELETE),
        Law(name="marks_go", preset="limited", check=_unmark, needs=frozenset({Feature.HISTORY})),
        Law(
            name="messages_wake",
            preset="steady",
            check=_wake,
            needs=frozenset({Feature.CLAIMS, Feature.OUTBOX}),
        ),
    )
}
"""By name."""
