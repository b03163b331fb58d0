"""`Pools`, the front door: a store and a builder go in, and everything that a host needs is wired together.

- It makes each part as one would by hand, with the same store, clock and relay. Each part is an attribute.
- It closes what it has made, in the order in which nothing is lost: the loop, the relay, the metrics, the pubsub. The
  store is the host's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, runtime_checkable

import attrs
from typing_extensions import Self

from prebuilds.decision.plans.planning import plan
from prebuilds.errors import AlreadyRunningError
from prebuilds.runtime.build_reports import BuildReports
from prebuilds.runtime.claim_answers import Claim
from prebuilds.runtime.claims import Claims
from prebuilds.runtime.clocks import choose_clock
from prebuilds.runtime.controls import Controls
from prebuilds.runtime.fleet_rows import select
from prebuilds.runtime.loop.fleet_reading import read_fleet
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.loop.reconciler import OnResult, Reconciler
from prebuilds.runtime.metrics.collector import MetricsCollector
from prebuilds.runtime.pools.loop_thread import LoopThread
from prebuilds.runtime.ports import Isolation, PubSub, PubSubMaker, Store, WorkspaceBuilder
from prebuilds.runtime.publishing.background import BackgroundRelay
from prebuilds.runtime.publishing.relays import OutboxRelay

_DEFAULT_OPTIONS = ReconcilerOptions()
BuilderMaker = Callable[[BuildReports], WorkspaceBuilder]


@runtime_checkable
class _Closable(Protocol):
    def close(self) -> None:
        """End all work."""


class Pools:
    """Everything over one store and one builder, wired together. Use it as a context manager, or call `close`.

    `builder` is a `WorkspaceBuilder`, or a function that makes one from the `BuildReports`; a class whose `__init__`
    takes these is such a function. `options` are those of the loop, and all parts have their clock. `on_result` is
    called with the result of each pass.

    The pubsub is the store's own, unless you give one. A store without a pubsub does with none: then the loop looks at
    everything every `options.interval`, and claims and reports do not wake it. Messages are sent in the background.

    A process that only makes claims or reports needs no loop: it never calls `start` or `run`.
    """

    def __init__(
        self,
        store: Store,
        builder: WorkspaceBuilder | BuilderMaker,
        *,
        options: ReconcilerOptions = _DEFAULT_OPTIONS,
        pubsub: PubSub | None = None,
        on_result: OnResult | None = None,
    ) -> None:
        self.store = store
        self._options = options = attrs.evolve(options, clock=choose_clock(store, options.clock))
        self._own_pubsub = store.make_pubsub() if pubsub is None and isinstance(store, PubSubMaker) else None
        pubsub = self._own_pubsub if pubsub is None else pubsub
        clock = options.clock
        self._relay = BackgroundRelay(OutboxRelay(store, pubsub), clock=clock) if pubsub else None
        self.reports = BuildReports(store, clock=clock, relay=self._relay)
        self.claims = Claims(store, clock=clock, relay=self._relay)
        self.controls = Controls(store, clock=clock, relay=self._relay)
        self.builder = make_builder(builder, self.reports)
        self.reconciler = Reconciler(store, self.builder, options=options, pubsub=pubsub, on_result=on_result)
        self._starting = threading.Lock()
        self._loop: LoopThread | None = None
        self._metrics: MetricsCollector | None = None
        self._is_closed = False

    @property
    def metrics(self) -> MetricsCollector:
        """A collector for Prometheus, begun when it is first asked for, unless all is closed by then.

        Raises `MissingExtraError`.
        """
        with self._starting:
            if self._metrics is None:
                self._metrics = MetricsCollector(self.store, clock=self._options.clock, policy=self._options.policy)
                if self._is_closed:
                    self._metrics.close()
                self._metrics.start()
            return self._metrics

    def claim(self, preset_id: str, *, owner_id: str, name: str, request_id: str | None = None) -> Claim:
        """Give a user a prebuild, at once or not at all: `Claims.claim`."""
        return self.claims.claim(preset_id, owner_id=owner_id, name=name, request_id=request_id)

    def explain(self, preset_id: str) -> str:
        """What the loop would do for this preset now, and why, a line for each action.

        It reads the store and changes nothing. Raises `UnknownPresetError`.
        """
        policy, now = self._options.policy, self._options.clock.now()
        with self.store.transaction(isolation=Isolation.REPEATABLE_READ, read_only=True) as tx:
            fleet = read_fleet(tx, now=now, policy=policy, selection=select(preset_id))
            if fleet.policy.budgets:  # presets share them
                fleet = read_fleet(tx, now=now, policy=policy)
        made = plan(fleet.snapshot, now=now, policy=fleet.policy, paused=fleet.is_paused)
        return made.for_preset(preset_id).decisions[0].explain()

    def run(self) -> None:
        """Keep the pools full until `request_stop` or `stop`: `Reconciler.run`."""
        self.reconciler.run()

    def start(self) -> None:
        """Keep the pools full in a thread of its own, until `stop` or `close`. Raises `AlreadyRunningError`.

        The thread does not keep the process alive. What ends it early is logged, and raised by `stop` and `close`.
        """
        with self._starting:
            if self._loop is not None:
                raise AlreadyRunningError
            self._loop = LoopThread(self.reconciler)
            self._loop.thread.start()

    def request_stop(self) -> None:
        """Ask the loop to end, without waiting. A signal handler may call it."""
        self.reconciler.request_stop()

    def stop(self) -> None:
        """End the loop for good, and wait for that. Claims and reports still work.

        Raises what ended the loop's thread early, if anything did.
        """
        self._end_loop()
        self._raise_early_end()

    def close(self) -> None:
        """End the loop, send the messages that wait, and close what was made here. The store stays open.

        Raises what ended the loop's thread early, if anything did, once everything is closed.
        """
        self._close()
        self._raise_early_end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._close()  # what ended the loop was logged, and must not hide this error

    def _end_loop(self) -> None:
        self.reconciler.stop()
        loop = self._loop
        if loop is not None and loop.thread is not threading.current_thread():
            loop.thread.join()

    def _raise_early_end(self) -> None:
        if self._loop is not None and self._loop.ended.done():
            self._loop.ended.result()

    def _close(self) -> None:
        self._end_loop()
        with self._starting:
            self._is_closed, collector = True, self._metrics
        for part in (self._relay, collector, self._own_pubsub):
            if isinstance(part, _Closable):
                part.close()


def make_builder(builder: WorkspaceBuilder | BuilderMaker, reports: BuildReports) -> WorkspaceBuilder:
    """The builder itself, or the one that the function makes from the reports."""
    if isinstance(builder, WorkspaceBuilder) and not isinstance(builder, type):  # a class has a `submit`, too
        return builder
    return builder(reports)
