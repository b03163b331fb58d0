"""Worlds: a store with a few presets, and the processes of a scenario around it. Running one is one run of a scenario.

- First everybody acts, and things go wrong. Then faults stop, and one reconciler must put everything in order.
- What is decided by chance is decided by the scenario's seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from prebuilds.decision.models import Policy, PrebuildStatus
from prebuilds.runtime.controls import Controls
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.models import BuildRequest
from prebuilds.runtime.ports import PubSub, Store, WorkspaceBuilder
from prebuilds.testing.clocks import ManualClock
from prebuilds.testing.faults.doubles.builders import Script, ScriptedBuilder
from prebuilds.testing.faults.doubles.clocks import JumpingClock
from prebuilds.testing.faults.doubles.faulty import FaultyBuilder, FaultyPubSub, FaultyStore
from prebuilds.testing.faults.doubles.injection import Injector
from prebuilds.testing.faults.doubles.messages import UnreliablePubSub
from prebuilds.testing.faults.doubles.stale import StaleStore
from prebuilds.testing.faults.doubles.stopping import StoppingStore
from prebuilds.testing.faults.worlds.acts import ACTS, Stage
from prebuilds.testing.faults.worlds.expecting import Expectation
from prebuilds.testing.faults.worlds.invariants import Invariant, Violated, Watch
from prebuilds.testing.faults.worlds.processes import INTERVAL, ClaimantProcess, PersonProcess, ReconcilerProcess
from prebuilds.testing.faults.worlds.scenarios import FaultScenario
from prebuilds.testing.faults.worlds.scheduling import Scheduler
from prebuilds.testing.faults.worlds.situations import BROKEN, FAILING, SITUATIONS, START, Scene, Situation

_SECOND = timedelta(seconds=1)
_MOST_WAITS = 10  # more than backoffs that end one after the other
_EVER = timedelta(days=3_650)
_SOON = timedelta(minutes=10)  # a wait that is one for a backoff, and for nothing else
_DEFAULT_POLICY = Policy()
GetScript = Callable[[BuildRequest], Script]


class World:
    """One run of a scenario, over a store that is new and empty."""

    def __init__(
        self,
        store: Store,
        scenario: FaultScenario,
        *,
        policy: Policy = _DEFAULT_POLICY,
        script: GetScript | None = None,
    ) -> None:
        self.scenario = scenario
        self.policy = policy
        self.clock = ManualClock(START)
        self.host_clock = JumpingClock(self.clock, offset=scenario.host_skew * _SECOND)
        self.situations = {name: SITUATIONS[name] for name in scenario.situations}
        self._hopeless = frozenset(name for name, found in self.situations.items() if found.is_hopeless)
        self.store = self.host = StoppingStore(store)
        self._scheduler = Scheduler(scenario.seed, connections=store.max_connections)
        self._stale = StaleStore(self.store, lag=scenario.lag, hides={scenario.hides})
        self._is_stale = bool(scenario.lag or scenario.hides)
        self.watch = Watch(self.store, scenario, self.clock.now)
        self._builder_way = self.inject("builder")
        self.builder = ScriptedBuilder(
            self.connect(self._builder_way),
            self.host_clock,
            script=script or self._script,
            on_submit=self.watch.submit,
            has_room=self._has_room,
        )
        self.pubsub = UnreliablePubSub(*scenario.messages, seed=scenario.seed)
        self.reconcilers = [self._make_reconciler(number) for number in range(scenario.reconcilers)]
        self.claimants = [
            ClaimantProcess(self, self.inject(f"c{number}"), scenario.situations)
            for number in range(scenario.claimants)
        ]
        acts = tuple(ACTS[event] for event in scenario.events)
        self.person = PersonProcess(self, self.inject("p"), acts, scenario.situations[0])
        self._set_up()

    def connect(self, injector: Injector) -> Store:
        return FaultyStore(self._shown, injector, on_commit=self.look, on_rollback=self.watch.check_unchanged)

    def set_stage(self, injector: Injector) -> Stage:
        self.watch.expect(Expectation())
        return Stage(
            store=FaultyStore(self._shown, injector, on_commit=self._keep, on_rollback=self.watch.check_unchanged),
            clock=self.host_clock,
            host=self.host,
            resources=self.builder.resources,
            list_workspaces=self.watch.list_workspaces,
            expect=self.watch.expect,
        )

    def reach_builder(self, injector: Injector) -> WorkspaceBuilder:
        return FaultyBuilder(self.builder, injector)

    def reach_pubsub(self, injector: Injector) -> PubSub:
        return FaultyPubSub(self.pubsub, injector)

    def act(self) -> None:
        """Everybody acts, and things go wrong."""
        rounds = self.scenario.rounds
        actors: dict[str, Callable[[], None]] = {
            **{process.injector.process: partial(process.run, rounds) for process in self.reconcilers},
            **{process.injector.process: partial(process.run, rounds) for process in self.claimants},
            "p": self.person.run,
            "builder": self.builder.work,
        }
        self._scheduler.run(actors)
        self._raise_violation()
        self._check_bounded()

    def calm(self) -> ReconcilerProcess:
        """Faults stop, clocks are right, and nobody has a build or the lease. Returns who reconciles from here on."""
        self._is_stale = False
        self.builder.work()
        self.pubsub.flush()
        self._free_lease()
        Controls(self.store, clock=self.clock).resume()
        return ReconcilerProcess(self, self.inject("calm"))

    def settle(self, process: ReconcilerProcess, rounds: int) -> int:
        """Reconcile until a pass finds everything in order and writes nothing. Returns how many it took before that.

        Passes after which a backoff ends soon are not counted, as there is something to wait for, up to a number of
        them. Raises `Violated` after too many.
        """
        taken, waits = 0, _MOST_WAITS
        while True:
            written = self._pass(process)
            unsettled = self.list_unsettled()
            if not unsettled and (not written or self._hopeless):
                return taken
            is_waiting = self._pass_time(process) and waits > 0
            waits -= is_waiting
            taken += not is_waiting
            if taken > rounds:
                raise self._describe_unsettled(unsettled, written, rounds)

    def _describe_unsettled(
        self, unsettled: Sequence[tuple[Invariant, str]], written: Sequence[str], rounds: int
    ) -> Violated:
        invariant, seen = unsettled[0] if unsettled else (Invariant.QUIET, f"everything in order, it wrote {written}")
        invariant = Invariant.NO_STARVATION if self._hopeless else invariant
        return Violated(invariant, f"{seen}, after {rounds} rounds without a fault")

    def _pass(self, process: ReconcilerProcess) -> Sequence[str]:
        """One pass, and all builds that follow from it. Returns what it wrote, but for messages that it sent."""
        count = len(process.injector.written)
        process.run()
        self.builder.work()
        self._raise_violation()
        return _list_changes(process.injector.written[count:])

    def list_unsettled(self) -> Sequence[tuple[Invariant, str]]:
        """What is not yet in order."""
        return self.watch.list_unsettled(self.builder.resources, self._hopeless)

    def count_rows(self) -> int:
        """How many workspaces there were ever."""
        return len(self.watch.read().workspaces)

    @property
    def injectors(self) -> Sequence[Injector]:
        reconcilers = [process.injector for process in self.reconcilers]
        claimants = [process.injector for process in self.claimants]
        return [*reconcilers, *claimants, self.person.injector, self._builder_way]

    def inject(self, process: str) -> Injector:
        """A way out into this world for one more process."""
        return Injector(process, self.scenario.faults, turns=self._scheduler, broken_preset=BROKEN)

    def _make_reconciler(self, number: int) -> ReconcilerProcess:
        skew, jump = timedelta(seconds=number * self.scenario.skew), timedelta(seconds=self.scenario.jump)
        return ReconcilerProcess(self, self.inject(f"r{number}"), skew=skew, jump=jump)

    def _free_lease(self) -> None:
        """As a person would after a clock was wrong: the lease of whoever was ahead lasts longer than it should."""
        name, latest = ReconcilerOptions().lease_name, self.clock.now() + _EVER
        with self.store.transaction() as tx:
            lease = tx.take_lease(name, "p", now=latest, expires_at=latest + _SECOND)
            if lease:
                tx.release_lease(lease)

    def _set_up(self) -> None:
        with self.store.transaction() as tx:
            for situation in self.situations.values():
                tx.put_preset(situation.preset)
                situation.set_up(Scene(tx, self.builder.resources, self.host), situation.preset)
            tx.set_paused(paused=self.scenario.is_paused)
        self._stale.note()
        self.watch.begin(self.builder.resources)

    @property
    def _shown(self) -> Store:
        return self._stale if self._is_stale else self.store

    def look(self) -> None:
        """See what has changed."""
        self._note()
        self.watch.look()

    def _keep(self) -> None:
        """See what has changed by an act, and whether it does as it promised."""
        self._note()
        self.watch.keep()

    def _note(self) -> None:
        if self.scenario.lag or self.scenario.hides:
            self._stale.note()

    def _raise_violation(self) -> None:
        if self.watch.violation:
            raise self.watch.violation
        for injector in self.injectors:
            if injector.crossed_inside:
                raise Violated(Invariant.OUTSIDE, f"{injector.process} called: {injector.crossed_inside[0].value}")
            if injector.begun_inside:
                raise Violated(Invariant.ONE_CONNECTION, f"{injector.process} had two transactions open at once")
            if injector.loose_reads and injector is not self.person.injector:  # who plans nothing
                raise Violated(Invariant.ONE_MOMENT, f"{injector.process} read without REPEATABLE_READ")
            written = _list_changes(injector.written)
            if self.scenario.is_paused and injector.process.startswith("r") and written:
                raise Violated(Invariant.PAUSED, f"{injector.process} wrote {written}")

    def _check_bounded(self) -> None:
        """What fails is tried again after waits that grow, whatever clock its failures are dated by.

        Where snapshots are old or the loop's own clock jumps nothing is said, as then it cannot know of them.
        """
        scenario = self.scenario
        if scenario.jump or scenario.lag or scenario.hides:
            return
        passed = self.clock.now() - START + (scenario.reconcilers - 1) * scenario.skew * _SECOND
        for name in set(FAILING) & self.situations.keys():
            desired = self.situations[name].preset.desired_instances
            # Whoever resets a preset, or puts another in its place, has it tried again.
            most = desired * (count_tries(passed, self.policy.backoff_interval) + len(scenario.events))
            tries = self.watch.count_added(name)
            if tries > most:
                seen = f"{tries} starts of {name} within {passed.total_seconds():g} s, where {most} would do"
                raise Violated(Invariant.BOUNDED, seen)

    def _script(self, request: BuildRequest) -> Script:
        situation: Situation | None = self.situations.get(request.preset_id or "")
        return situation.script if situation else Script.SUCCEED

    def _has_room(self, request: BuildRequest) -> bool:
        situation = self.situations.get(request.preset_id or "")
        if situation is None or situation.room is None:
            return True
        there = {name for name in self.builder.resources if self.watch.get_preset_id(name) == request.preset_id}
        there |= {start.workspace_id for start in self.builder.starting if start.preset_id == request.preset_id}
        return len(there) < situation.room

    def _pass_time(self, process: ReconcilerProcess) -> bool:
        """Sleep as the loop would; what has been given up on after failures is taken up again by a person.

        Returns whether a backoff was waited for.
        """
        for preset in self.watch.read().presets.values():
            if preset.prebuild_status is PrebuildStatus.HARD_LIMITED:
                Controls(self.store, clock=self.clock).reset(preset.id)
        result = process.results[-1] if process.results else None
        at = result.next_change_at if result else None
        wait = at - self.clock.now() if at else timedelta()
        is_soon = timedelta() < wait <= _SOON
        self.clock.advance(wait if is_soon else INTERVAL)
        return is_soon


def count_tries(passed: timedelta, interval: timedelta) -> int:
    """How often something may be tried within this time, if each failure makes the wait longer by an interval."""
    tries, waited = 1, interval
    while waited <= passed:
        tries += 1
        waited += tries * interval
    return tries


def _list_changes(written: Sequence[str]) -> Sequence[str]:
    """The writes, but for the removal of messages that were sent."""
    return [name for name in written if name != "delete_messages"]
