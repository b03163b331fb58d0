"""Processes: a reconciler, a claimant and a person. Each has an injector, crashes and starts again.

- A process that crashes loses everything that is not in the store. When it starts again, it holds the lease under
  another name.
- Each does a number of rounds, successful or not, and ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import attrs

from prebuilds.decision.policies.policy import Policy
from prebuilds.runtime.claims import Claims
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.loop.reconciler import Reconciler
from prebuilds.runtime.loop.results import ReconciliationResult
from prebuilds.runtime.ports import PubSub, Store, WorkspaceBuilder
from prebuilds.testing.clocks import ManualClock
from prebuilds.testing.faults.doubles.clocks import JumpingClock
from prebuilds.testing.faults.doubles.fault_modes import CrashedError
from prebuilds.testing.faults.doubles.injection import Injector
from prebuilds.testing.faults.worlds.acts import Act, ActContext

LEASE_DURATION = timedelta(seconds=60)
INTERVAL = timedelta(seconds=15)
_OPTIONS = ReconcilerOptions(interval=INTERVAL, lease_duration=LEASE_DURATION)  # those that all reconcilers share
_NONE = timedelta()
_TRIES = 5  # for a claim that gets no answer


class Surroundings(Protocol):
    """What the processes share."""

    clock: ManualClock
    policy: Policy

    def make_act_context(self, injector: Injector) -> ActContext:
        """What the next act of the person with this injector works with."""
        ...

    def look(self) -> None:
        """See what has changed, after something that no commit shows."""
        ...

    def connect(self, injector: Injector) -> Store:
        """The store, as the process of this injector sees it."""
        ...

    def reach_builder(self, injector: Injector) -> WorkspaceBuilder:
        """The builder, as the process of this injector sees it."""
        ...

    def reach_pubsub(self, injector: Injector) -> PubSub:
        """The pubsub, as the process of this injector sees it."""
        ...


class ReconcilerProcess:
    """Runs the loop for some rounds. After the first, its wall clock jumps by `jump`.

    It calls `on_rest` at the end of each round, before it waits.
    """

    def __init__(
        self,
        world: Surroundings,
        injector: Injector,
        *,
        skew: timedelta = _NONE,
        jump: timedelta = _NONE,
        on_rest: Callable[[], None] = lambda: None,
    ) -> None:
        self._world = world
        self._lives = 0
        self._rounds = 0
        self._jump = jump
        self._on_rest = on_rest
        self._reconciler: Reconciler | None = None
        self.injector = injector
        self.clock = JumpingClock(world.clock, offset=skew, rest=self._rest)
        self.results: list[ReconciliationResult] = []

    def run(self, rounds: int = 1) -> None:
        """Run this many rounds, starting again after each crash."""
        self._rounds = rounds
        while self._rounds > 0:
            try:
                self._live()
            except CrashedError:
                self._rounds -= 1
                self._world.clock.advance(LEASE_DURATION)

    def _live(self) -> None:
        self._lives += 1
        self.injector.restart()
        prefix = f"{self.injector.process}.{self._lives}"
        self._reconciler = Reconciler(
            self._world.connect(self.injector),
            self._world.reach_builder(self.injector),
            options=attrs.evolve(_OPTIONS, policy=self._world.policy, clock=self.clock, new_id=_Ids(prefix)),
            pubsub=self._world.reach_pubsub(self.injector),
            on_result=self.results.append,
        )
        self._reconciler.run()

    def _rest(self, event: threading.Event, timeout: timedelta) -> bool:
        """Between two rounds, time passes for all, unless a message has come."""
        self._rounds -= 1
        self._on_rest()
        if self._rounds <= 0 and self._reconciler:
            self._reconciler.stop()
            return True
        self.clock.jump(self._jump)
        self._jump = _NONE
        self.injector.pause()
        if not event.is_set():
            self._world.clock.advance(timeout)
        return event.is_set()


class _Ids:
    """Ids that are the same in each run."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self._last += 1
            return f"{self._prefix}-{self._last}"


@attrs.frozen
class Answer:
    """What a claimant got: the id of its request, and that of the workspace if there was one."""

    request_id: str
    workspace_id: str | None


class ClaimantProcess:
    """Claims prebuilds, one in each round, and asks again with the same request id until it has an answer."""

    def __init__(self, world: Surroundings, injector: Injector, preset_ids: tuple[str, ...]) -> None:
        self._world = world
        self._preset_ids = preset_ids
        self.injector = injector
        self.answers: list[Answer] = []

    def run(self, rounds: int = 1) -> None:
        """Make this many claims, the first of them twice."""
        for number in range(rounds):
            self._claim(number)
        self._claim(0)

    def _claim(self, number: int) -> None:
        request_id = f"{self.injector.process}-{number}"
        preset_id = self._preset_ids[number % len(self._preset_ids)]
        for _ in range(_TRIES):
            try:
                self.injector.restart()
                claims = Claims(self._world.connect(self.injector), clock=self._world.clock)
                claim = claims.claim(preset_id, owner_id=request_id, name="mine", request_id=request_id)
            except (CrashedError, ConnectionError, TimeoutError):
                continue
            self.answers.append(Answer(request_id, claim.workspace.id if claim.workspace else None))
            return


class PersonProcess:
    """Does what people do, one act after the other. Each takes effect or not."""

    def __init__(self, world: Surroundings, injector: Injector, acts: tuple[Act, ...], preset_id: str) -> None:
        self._world = world
        self._acts = acts
        self._preset_id = preset_id
        self.injector = injector

    def run(self) -> None:
        """Do them all."""
        for act in self._acts:
            try:
                self.injector.restart()
                act(self._world.make_act_context(self.injector), self._preset_id)
                self._world.look()
            except (CrashedError, ConnectionError, TimeoutError):
                continue
