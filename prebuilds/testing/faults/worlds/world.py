"""Worlds: a store with a few presets, and the processes of one scenario around it.

- First all processes act, and things go wrong. Then faults stop, and one reconciler must put everything in order.
- The scenario's seed decides everything that is left to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from prebuilds.decision.policies.budgets import Budget, BudgetScope
from prebuilds.decision.policies.policy import Policy
from prebuilds.runtime.controls import Controls
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.models import BuildRequest
from prebuilds.runtime.ports import PubSub, Store, WorkspaceBuilder
from prebuilds.testing.clocks import ManualClock
from prebuilds.testing.faults.doubles.builders import Script, ScriptedBuilder, SubmittingBuilder
from prebuilds.testing.faults.doubles.clocks import JumpingClock
from prebuilds.testing.faults.doubles.faulty import FaultyBuilder, FaultyPubSub, FaultyStore
from prebuilds.testing.faults.doubles.injection import Injector
from prebuilds.testing.faults.doubles.stale import StaleStore
from prebuilds.testing.faults.doubles.stopping_host import StoppingStore
from prebuilds.testing.faults.doubles.unreliable_pubsub import UnreliablePubSub
from prebuilds.testing.faults.worlds.act_promises import Expectation
from prebuilds.testing.faults.worlds.acts import ACTS, TEMPLATE_ID, ActContext
from prebuilds.testing.faults.worlds.commit_watch import Watch
from prebuilds.testing.faults.worlds.processes import ClaimantProcess, PersonProcess, ReconcilerProcess
from prebuilds.testing.faults.worlds.scenarios import FaultScenario
from prebuilds.testing.faults.worlds.scheduling import Scheduler
from prebuilds.testing.faults.worlds.starting_states import BROKEN, SITUATIONS, START, Scene

_SECOND = timedelta(seconds=1)
_EVER = timedelta(days=3_650)
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
        self.hopeless = frozenset(name for name, found in self.situations.items() if found.is_hopeless)
        self.store = self.host = StoppingStore(store)
        self._scheduler = Scheduler(scenario.seed, connections=store.max_connections)
        self._stale = StaleStore(self.store, lag=scenario.lag, hides={scenario.hides})
        self._is_stale = bool(scenario.lag or scenario.hides)
        self.watch = Watch(self.store, scenario, self.clock.now)
        self._builder_way = self.inject("builder")
        self.builder = self._make_builder(script or self._script)
        self.pubsub = UnreliablePubSub(*scenario.messages, seed=scenario.seed)
        self.reconcilers = [self._make_reconciler(number) for number in range(scenario.reconcilers)]
        self.claimants = [self._make_claimant(number) for number in range(scenario.claimants)]
        self.person = self._make_person()
        self._set_up()

    def connect(self, injector: Injector) -> Store:
        return self._make_store(injector, on_commit=self.look)

    def make_act_context(self, injector: Injector) -> ActContext:
        self.watch.expect(Expectation())
        return ActContext(
            store=self._make_store(injector, on_commit=self._keep),
            clock=self.host_clock,
            host=self.host,
            resources=self.builder.resources,
            list_workspaces=self.watch.list_workspaces,
            expect=self.watch.expect,
        )

    def _make_store(self, injector: Injector, on_commit: Callable[[], None]) -> Store:
        return FaultyStore(
            self._shown,
            injector,
            on_commit=on_commit,
            on_read=self._note,
            on_rollback=self.watch.check_unchanged,
        )

    def reach_builder(self, injector: Injector) -> WorkspaceBuilder:
        reached = FaultyBuilder(self.builder, injector)
        return reached if self.scenario.can_cancel else SubmittingBuilder(reached)

    def reach_pubsub(self, injector: Injector) -> PubSub:
        return FaultyPubSub(self.pubsub, injector)

    def act(self) -> None:
        """All processes act, and things go wrong."""
        rounds = self.scenario.rounds
        actors: dict[str, Callable[[], None]] = {
            **{process.injector.process: partial(process.run, rounds) for process in self.reconcilers},
            **{process.injector.process: partial(process.run, rounds) for process in self.claimants},
            "p": self.person.run,
            "builder": self.builder.work,
        }
        self._scheduler.run(actors)

    def calm(self) -> ReconcilerProcess:
        """Stop the faults, right the clocks, end the builds, free the lease, and lift the budget.

        Returns the reconciler from here on.
        """
        self._is_stale = False
        self.builder.work()
        self.pubsub.flush()
        self._free_lease()
        controls = Controls(self.store, clock=self.clock)
        controls.resume()
        controls.remove_budget(BudgetScope.FLEET)
        controls.remove_budget(BudgetScope.TEMPLATE, TEMPLATE_ID)
        self.watch.forget_budget()
        return ReconcilerProcess(self, self.inject("calm"))

    @property
    def injectors(self) -> Sequence[Injector]:
        reconcilers = [process.injector for process in self.reconcilers]
        claimants = [process.injector for process in self.claimants]
        return [*reconcilers, *claimants, self.person.injector, self._builder_way]

    def inject(self, process: str) -> Injector:
        """The injector of one more process."""
        return Injector(process, self.scenario.faults, turns=self._scheduler, broken_preset=BROKEN)

    def _make_reconciler(self, number: int) -> ReconcilerProcess:
        skew, jump = timedelta(seconds=number * self.scenario.skew), timedelta(seconds=self.scenario.jump)
        return ReconcilerProcess(self, self.inject(f"r{number}"), skew=skew, jump=jump)

    def _make_builder(self, script: GetScript) -> ScriptedBuilder:
        return ScriptedBuilder(
            self.connect(self._builder_way),
            self.host_clock,
            script=script,
            on_submit=self.watch.submit,
            has_room=self._has_room,
        )

    def _make_claimant(self, number: int) -> ClaimantProcess:
        return ClaimantProcess(self, self.inject(f"c{number}"), self.scenario.situations)

    def _make_person(self) -> PersonProcess:
        acts = tuple(ACTS[event] for event in self.scenario.events)
        return PersonProcess(self, self.inject("p"), acts, self.scenario.situations[0])

    def _free_lease(self) -> None:
        """As a person would after a clock ran ahead: the lease taken by that clock lasts too long."""
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
            if self.scenario.budget:
                tx.put_budget(Budget(max_starting=self.scenario.budget))
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
        """See what an act has changed, and hold it to what it promised."""
        self._note()
        self.watch.keep()

    def _note(self) -> None:
        if self.scenario.lag or self.scenario.hides:
            self._stale.note()

    def _script(self, request: BuildRequest) -> Script:
        situation = self.situations.get(request.preset_id or "")
        return situation.script if situation else Script.SUCCEED

    def _has_room(self, request: BuildRequest) -> bool:
        situation = self.situations.get(request.preset_id or "")
        if situation is None or situation.room is None:
            return True
        there = {name for name in self.builder.resources if self.watch.get_preset_id(name) == request.preset_id}
        there |= {start.workspace_id for start in self.builder.starting if start.preset_id == request.preset_id}
        return len(there) < situation.room
