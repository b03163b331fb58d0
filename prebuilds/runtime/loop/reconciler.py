"""The reconciler: it does passes when they are due, until it is stopped.

- `run` begins with a pass over all presets. Then it works on keys: a pass reads only the presets that a message named
  or whose timer has ended, all that are due at once. So its cost follows what changes, not how many presets there are.
- Now and then it looks at everything: at the beginning, after the lease was taken anew, after messages may have been
  lost, and every `resync`.
- It measures its sleep by a clock that never goes back, so that a wrong wall clock delays nothing for long.
- An error in a pass is logged, and the next pass comes soon. An error in a hook is logged and changes nothing.
- Only `stop` and `request_stop` end `run`, before the next effect or event. They work before, during and after it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import attrs

from prebuilds.errors import AlreadyRunningError, UnknownPresetError
from prebuilds.runtime.build_reports import PREBUILDS_CHANGED
from prebuilds.runtime.clocks import choose_clock, round_up
from prebuilds.runtime.forks import follow_forks
from prebuilds.runtime.logs import attempt
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.loop.passes import Passes
from prebuilds.runtime.loop.results import PassStatus, ReconciliationResult
from prebuilds.runtime.loop.timing.agenda import EVERYTHING, RETRY, Agenda
from prebuilds.runtime.loop.timing.wakeups import Wakeup
from prebuilds.runtime.models import Message
from prebuilds.runtime.ports import PubSub, Store, WorkspaceBuilder
from prebuilds.runtime.publishing.relays import OutboxRelay

_log = logging.getLogger(__name__)
_DEFAULT_OPTIONS = ReconcilerOptions()
_AT_ONCE = timedelta()
_PATIENCE = timedelta(seconds=1)  # longer than a builder needs to take a build

OnResult = Callable[[ReconciliationResult], None]


class Reconciler:
    """Keeps the pools of all presets of a store at their targets.

    Any number of reconcilers may share a store, in one process or several. One has the lease and works; the others
    wait. In a forked child, the copy is a reconciler of its own.

    With a `pubsub` it listens for changes that may alter a decision, and sends the messages in the store's outbox after
    each pass. `on_result` is called with the result of every pass; an error that it raises is logged.
    """

    def __init__(
        self,
        store: Store,
        builder: WorkspaceBuilder,
        *,
        options: ReconcilerOptions = _DEFAULT_OPTIONS,
        pubsub: PubSub | None = None,
        on_result: OnResult | None = None,
    ) -> None:
        options = attrs.evolve(options, clock=choose_clock(store, options.clock))
        self._passes = Passes(store, builder, options, on_end=self._note_event)
        self._options = options
        self._pubsub = pubsub
        self._relay = OutboxRelay(store, pubsub) if pubsub else None
        self._on_result = on_result
        self._resync = options.resync if pubsub else options.interval
        self._beat = min(options.interval, options.lease_duration / 4)
        self._reset()
        follow_forks(self, Reconciler._begin_anew)

    def _begin_anew(self) -> None:
        """In a forked child, begin as another reconciler: without a lease, and with nothing under way."""
        self._passes.begin_anew()
        self._reset()

    def _reset(self) -> None:
        self._agenda = Agenda(self._options.clock)
        self._wake = Wakeup()
        self._running = threading.Lock()
        self._thread: int | None = None
        self._beat_at = 0.0
        self._token: int | None = None  # of the lease under which everything was looked at last
        self._status = PassStatus.NOT_LEADER  # of the last pass

    def reconcile_all(self) -> ReconciliationResult:
        """One pass over all presets. Raises errors of the store's reads; later failures are in the result."""
        return self._report(self._passes.reconcile())

    def reconcile_preset(self, preset_id: str) -> ReconciliationResult:
        """One pass over one preset. Also raises `UnknownPresetError`."""
        result = self.reconcile_presets([preset_id])
        if result.plan is not None and all(decision.preset_id != preset_id for decision in result.plan):
            raise UnknownPresetError(preset_id)
        return result

    def reconcile_presets(self, preset_ids: Collection[str]) -> ReconciliationResult:
        """One pass over the presets with these ids, which are read and planned at once. Unknown ones are left out."""
        return self._report(self._passes.reconcile(preset_ids))

    def _pass(self, preset_ids: Collection[str] | None) -> ReconciliationResult:
        return self._report(self._passes.reconcile(preset_ids, patience=_PATIENCE))

    def run(self) -> None:
        """Do passes until stopped. Returns at once if it was already stopped. Raises `AlreadyRunningError`."""
        running = self._running
        if not running.acquire(blocking=False):
            raise AlreadyRunningError
        self._thread = threading.get_ident()
        try:
            with self._listening():
                while not self._passes.is_stopping:
                    self._work()
                    self._sleep()
        finally:
            self._thread = None
            attempt(_log, "the lease was not given back", self._release_lease)
            running.release()

    def request_stop(self) -> None:
        """Ask `run` to end after the effects under way, without waiting for that.

        It takes no lock and never waits, so a signal handler, a hook or a coroutine may call it. There is no way back:
        a stopped reconciler carries out nothing more.
        """
        self._passes.is_stopping = True
        self._wake.set()

    def stop(self, timeout: timedelta | None = None) -> bool:
        """`request_stop`, wait until `run` has ended, and release the lease. Returns whether `run` has ended.

        Called from within `run`, for example by a hook, it does not wait. A signal handler must call `request_stop`
        instead, as it may have interrupted the very code that `stop` would wait for.
        """
        self.request_stop()
        if self._thread == threading.get_ident():
            return False
        has_ended = self._running.acquire(timeout=-1 if timeout is None else timeout.total_seconds())
        if has_ended:
            attempt(_log, "the lease was not given back", self._release_lease)
            self._running.release()
        return has_ended

    @contextmanager
    def _listening(self) -> Iterator[None]:
        end = self._pubsub.subscribe(PREBUILDS_CHANGED, self._notice) if self._pubsub else None
        try:
            yield
        finally:
            if end:
                attempt(_log, "listening did not end", end)

    def _notice(self, message: Message) -> None:
        if message.body == EVERYTHING or self._options.has_preset(message.body):
            self._note_event(message.body)

    def _note_event(self, preset_id: str) -> None:
        self._agenda.add(preset_id)
        self._wake.set()

    def _work(self) -> None:
        """Look at what is due, or else keep the lease; forget old claims, and send messages."""
        self._wake.clear()  # before taking the events, so that a new one wakes it again
        due = self._agenda.take()
        if EVERYTHING in due:
            self._look_at_everything()
        elif due and self._is_leading:
            self._look_at(due)
        elif self._is_leading and self._options.clock.monotonic() >= self._beat_at:
            attempt(_log, "the lease was not renewed", self._keep_lease)
        self._beat_at = self._options.clock.monotonic() + self._beat.total_seconds()
        if self._is_leading:
            self._passes.forget_claims()
        if self._relay:
            attempt(_log, "messages were not sent", self._relay.flush)

    def _look_at_everything(self) -> None:
        if not attempt(_log, "all presets: the pass failed", self._reconcile_everything):
            self._agenda.plan_whole(min(self._resync, RETRY))

    def _reconcile_everything(self) -> None:
        self._agenda.plan_whole(self._resync)
        result = self._pass(None)
        self._token = self._passes.lease_token
        self._follow_up(result, None)

    def _look_at(self, preset_ids: Collection[str]) -> None:
        what = next(iter(preset_ids)) if len(preset_ids) == 1 else f"{len(preset_ids)} presets"
        if not attempt(_log, f"{what}: the pass failed", partial(self._reconcile_some, preset_ids)):
            self._agenda.retry(preset_ids)

    def _reconcile_some(self, preset_ids: Collection[str]) -> None:
        result = self._pass(preset_ids)
        _tell_unknown(result, preset_ids)
        is_resumed = result.status is PassStatus.RECONCILED and self._status is not PassStatus.RECONCILED
        self._follow_up(result, preset_ids)
        self._require_token(is_resumed=is_resumed)

    def _keep_lease(self) -> None:
        self._passes.keep_lease()
        self._require_token()

    def _require_token(self, *, is_resumed: bool = False) -> None:
        """Look at everything if the lease is another than when this was done last, or if a pause has ended since."""
        if is_resumed or self._passes.lease_token != self._token:
            self._agenda.plan_whole(_AT_ONCE)

    def _follow_up(self, result: ReconciliationResult, preset_ids: Collection[str] | None) -> None:
        """Set the timers. Those of presets that this reconciler must leave alone end."""
        self._status = result.status
        self._agenda.note(result, preset_ids)
        if result.status is not PassStatus.RECONCILED:
            self._agenda.rest()
        if result.status is PassStatus.NOT_LEADER:
            self._agenda.plan_whole(self._options.interval)

    def _sleep(self) -> None:
        if self._passes.is_stopping:  # requested before `_work` cleared the wake-up
            return
        due = min(self._agenda.find_next(), self._beat_at) if self._is_leading else self._agenda.find_next()
        seconds = max(due - self._options.clock.monotonic(), 0)
        self._options.clock.wait(self._wake, round_up(seconds))

    @property
    def _is_leading(self) -> bool:
        return self._status is not PassStatus.NOT_LEADER

    def _release_lease(self) -> None:
        result = self._passes.release_lease()
        if result.presets:
            self._report(result)

    def _report(self, result: ReconciliationResult) -> ReconciliationResult:
        _log.debug("pass ended", extra={"status": result.status.value, "presets": len(result.presets)})
        if self._on_result:
            attempt(_log, "the hook on_result failed", partial(self._on_result, result))
        return result


def _tell_unknown(result: ReconciliationResult, preset_ids: Collection[str]) -> None:
    known = {decision.preset_id for decision in result.plan} if result.plan is not None else set(preset_ids)
    for preset_id in sorted(set(preset_ids) - known):
        _log.info("%s: an event named it, but there is no such preset", preset_id, extra={"preset_id": preset_id})
