"""The reconciler: passes when they are due, from the first moment until it is stopped.

- `run` begins with a pass over all presets. Then it wakes at a message, at the instant from which a decision could
  differ, and at the interval at the latest.
- What it sleeps for is measured by a clock that never goes back, so that a wrong wall clock delays nothing for long.
- An error in a pass is logged, and the next pass comes soon. An error in a hook is logged, and changes nothing.
- Only `stop` and `request_stop` end `run`, before the next effect or event. They work before, while and after.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from math import ceil

from prebuilds.errors import AlreadyRunningError, UnknownPresetError
from prebuilds.runtime.build_reports import PREBUILDS_CHANGED
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
_EVERYTHING = ""  # what a message says that concerns all presets
_RETRY = timedelta(seconds=15)  # how soon everything is looked at again after something failed

OnResult = Callable[[ReconciliationResult], None]


class Reconciler:
    """Keeps the pools of all presets of a store at their targets.

    Of any number that work on a store one has the lease and works, and the others wait: in one process, in several, or
    in forked children, where it is another reconciler than in its parent.

    With a `pubsub` it listens for what may call for another decision, and sends what waits in the store's outbox after
    each pass. `on_result` is called with the result of every pass; what it raises is logged.
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
        """In a forked child: it is another reconciler, without a lease, and nothing is under way."""
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
        """One pass over all presets. Raises what the store raises to a read; what fails later is in the result."""
        return self._report(self._passes.reconcile())

    def reconcile_preset(self, preset_id: str) -> ReconciliationResult:
        """One pass over one preset, at an event. Raises `UnknownPresetError` too."""
        return self._report(self._passes.reconcile(preset_id))

    def run(self) -> None:
        """Do passes until it is stopped; at once nothing if it has been. Raises `AlreadyRunningError`."""
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
        """Have `run` end after the effects that are under way, and do not wait for that.

        For a signal handler, a hook or a coroutine: it takes no lock and never waits. For good: a reconciler that has
        been stopped carries nothing out any more.
        """
        self._passes.is_stopping = True
        self._wake.set()

    def stop(self, timeout: timedelta | None = None) -> bool:
        """`request_stop`, wait until `run` has ended, and let another have the lease. Returns whether it has ended.

        Called by `run` itself, as from a hook, it does not wait. A signal handler calls `request_stop`: what it has
        interrupted may be what is waited for here.
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
        """The passes that are due: one over everything, or one for each preset that something has happened to."""
        self._wake.clear()  # before the events are taken, so that one that comes now wakes again
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
        """Do a pass, and wake for what it says will change, if that is before everything is looked at again."""
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
        # Rounded up: half a microsecond early would be too early, and then be waited for in a circle.
        self._options.clock.wait(self._wake, timedelta(microseconds=ceil(seconds * 1_000_000)))

    def _report(self, result: ReconciliationResult) -> ReconciliationResult:
        _log.debug("pass ended", extra={"status": result.status.value, "presets": len(result.presets)})
        if self._on_result:
            self._attempt("the hook on_result failed", partial(self._on_result, result))
        return result

    def _attempt(self, what: str, step: Callable[[], object]) -> bool:
        """Do a step that no error may get out of. Returns whether it went well; else `what` is logged."""
        try:
            step()
        except Exception as error:
            log_error(_log, what, error)
            return False
        return True
