"""The reconciler: it does passes when they are due, until it is stopped.

- `run` begins with a pass over all presets. Then it wakes at a message, at the next instant when a decision could
  change, and at the interval at the latest.
- It measures its sleep by a clock that never goes back, so that a wrong wall clock delays nothing for long.
- An error in a pass is logged, and the next pass comes soon. An error in a hook is logged and changes nothing.
- Only `stop` and `request_stop` end `run`, before the next effect or event. They work before, during and after it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from prebuilds.errors import AlreadyRunningError, UnknownPresetError
from prebuilds.runtime.build_reports import PREBUILDS_CHANGED
from prebuilds.runtime.clocks import round_up
from prebuilds.runtime.forks import follow_forks
from prebuilds.runtime.logs import log_error
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.loop.passes import Passes
from prebuilds.runtime.loop.results import ReconciliationResult
from prebuilds.runtime.loop.wakeups import Wakeup
from prebuilds.runtime.models import Message
from prebuilds.runtime.ports import PubSub, Store, WorkspaceBuilder
from prebuilds.runtime.publishing.relays import OutboxRelay

_log = logging.getLogger(__name__)
_DEFAULT_OPTIONS = ReconcilerOptions()
_EVERYTHING = ""  # the body of a message that concerns all presets
_RETRY = timedelta(seconds=15)  # how soon after a failure to look at everything again

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
        self._passes = Passes(store, builder, options)
        self._options = options
        self._pubsub = pubsub
        self._relay = OutboxRelay(store, pubsub) if pubsub else None
        self._on_result = on_result
        self._reset()
        follow_forks(self, Reconciler._begin_anew)

    def _begin_anew(self) -> None:
        """In a forked child, begin as another reconciler: without a lease, and with nothing under way."""
        self._passes.begin_anew()
        self._reset()

    def _reset(self) -> None:
        self._events: set[str] = {_EVERYTHING}
        self._noticing = threading.Lock()
        self._wake = Wakeup()
        self._running = threading.Lock()
        self._thread: int | None = None
        self._due = 0.0

    def reconcile_all(self) -> ReconciliationResult:
        """One pass over all presets. Raises errors of the store's reads; later failures are in the result."""
        return self._report(self._passes.reconcile())

    def reconcile_preset(self, preset_id: str) -> ReconciliationResult:
        """One pass over one preset. Also raises `UnknownPresetError`."""
        return self._report(self._passes.reconcile(preset_id))

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
            self._attempt("the lease was not given back", self._passes.release_lease)
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
            self._attempt("the lease was not given back", self._passes.release_lease)
            self._running.release()
        return has_ended

    @contextmanager
    def _listening(self) -> Iterator[None]:
        end = self._pubsub.subscribe(PREBUILDS_CHANGED, self._notice) if self._pubsub else None
        try:
            yield
        finally:
            if end:
                self._attempt("listening did not end", end)

    def _notice(self, message: Message) -> None:
        if message.body != _EVERYTHING and not self._options.has_preset(message.body):
            return
        with self._noticing:
            self._events.add(message.body)
        self._wake.set()

    def _take_events(self) -> set[str]:
        with self._noticing:
            events, self._events = self._events, set()
        return events

    def _work(self) -> None:
        """Do the passes that are due: one over everything, or one for each preset with an event."""
        self._wake.clear()  # before taking the events, so that a new one wakes it again
        events = self._take_events()
        if _EVERYTHING in events or self._options.clock.monotonic() >= self._due:
            self._due = self._options.clock.monotonic() + self._options.interval.total_seconds()
            events = {_EVERYTHING}
        for preset_id in sorted(events):
            if not self._passes.is_stopping:
                self._look_at(preset_id)
        if self._relay:
            self._attempt("messages were not sent", self._relay.flush)

    def _look_at(self, preset_id: str) -> None:
        """Do a pass, and plan to wake at its next change."""
        follow_up = partial(self._follow_up, preset_id or None)
        if not self._attempt(f"{preset_id or 'all presets'}: the pass failed", follow_up):
            self._wake_in(_RETRY)

    def _follow_up(self, preset_id: str | None) -> None:
        try:
            result = self.reconcile_all() if preset_id is None else self.reconcile_preset(preset_id)
        except UnknownPresetError:
            _log.info("%s: an event named it, but there is no such preset", preset_id, extra={"preset_id": preset_id})
            return
        if result.next_change_at is not None:
            self._wake_in(result.next_change_at - self._options.clock.now())
        if result.failed:
            self._wake_in(_RETRY)

    def _wake_in(self, wait: timedelta) -> None:
        self._due = min(self._due, self._options.clock.monotonic() + max(wait.total_seconds(), 0))

    def _sleep(self) -> None:
        if self._passes.is_stopping:  # requested before `_work` cleared the wake-up
            return
        seconds = max(self._due - self._options.clock.monotonic(), 0)
        self._options.clock.wait(self._wake, round_up(seconds))

    def _report(self, result: ReconciliationResult) -> ReconciliationResult:
        _log.debug("pass ended", extra={"status": result.status.value, "presets": len(result.presets)})
        if self._on_result:
            self._attempt("the hook on_result failed", partial(self._on_result, result))
        return result

    def _attempt(self, what: str, step: Callable[[], object]) -> bool:
        """Do a step and let no error escape. Returns whether it succeeded; if not, logs `what` and the error."""
        try:
            step()
        except Exception as error:
            log_error(_log, what, error)
            return False
        return True
