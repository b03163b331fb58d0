"""The reconciler: passes when they are due, from the first moment until it is stopped.

- `run` begins with a pass over all presets. Then it wakes at a message, at the instant from which a decision could
  differ, and at the interval at the latest.
- What it sleeps for is measured by a clock that never goes back, so that a wrong wall clock delays nothing for long.
- An error in a pass is logged and the next pass comes. Only `stop` ends `run`, and it works before, while and after.
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
from prebuilds.runtime.building import PREBUILDS_CHANGED
from prebuilds.runtime.models import Message
from prebuilds.runtime.options import ReconcilerOptions
from prebuilds.runtime.passes import Passes
from prebuilds.runtime.ports import PubSub, Store, WorkspaceBuilder
from prebuilds.runtime.publishing import OutboxRelay
from prebuilds.runtime.results import ReconciliationResult

_log = logging.getLogger(__name__)
_DEFAULT_OPTIONS = ReconcilerOptions()
_EVERYTHING = ""  # what a message says that concerns all presets

OnResult = Callable[[ReconciliationResult], None]


class Reconciler:
    """Keeps the pools of all presets of a store at their targets.

    With a `pubsub` it listens for what may call for another decision, and sends what waits in the store's outbox after
    each pass. `on_result` is called with the result of every pass.
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
        self._events: set[str] = {_EVERYTHING}
        self._noticing = threading.Lock()
        self._wake = threading.Event()
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
        """Do passes until `stop` is called; at once nothing if it has been. Raises `AlreadyRunningError`."""
        if not self._running.acquire(blocking=False):
            raise AlreadyRunningError
        self._thread = threading.get_ident()
        try:
            with self._listening():
                while not self._passes.stopping.is_set():
                    self._work()
                    self._sleep()
        finally:
            self._thread = None
            self._attempt(self._passes.release_lease)
            self._running.release()

    def stop(self, timeout: timedelta | None = None) -> bool:
        """End `run` after the effects that are under way, and wait for that. Returns whether it has ended.

        For good: a reconciler that has been stopped carries nothing out any more, and lets another have its lease.
        Called by `run` itself, as from a signal handler or a hook, it does not wait.
        """
        self._passes.stopping.set()
        self._wake.set()
        if self._thread == threading.get_ident():
            return False
        has_ended = self._running.acquire(timeout=-1 if timeout is None else timeout.total_seconds())
        if has_ended:
            self._attempt(self._passes.release_lease)
            self._running.release()
        return has_ended

    @contextmanager
    def _listening(self) -> Iterator[None]:
        end = self._pubsub.subscribe(PREBUILDS_CHANGED, self._notice) if self._pubsub else None
        try:
            yield
        finally:
            if end:
                self._attempt(end)

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
            self._attempt(self._follow_up)
        else:
            for preset_id in sorted(events):
                self._attempt(partial(self._follow_up, preset_id))
        if self._relay:
            self._attempt(self._relay.flush)

    def _follow_up(self, preset_id: str | None = None) -> None:
        """Do a pass, and wake for what it says will change, if that is before everything is looked at again."""
        result = self.reconcile_all() if preset_id is None else self.reconcile_preset(preset_id)
        if result.next_change_at is not None:
            wait = result.next_change_at - self._options.clock.now()
            self._due = min(self._due, self._options.clock.monotonic() + max(wait.total_seconds(), 0))

    def _sleep(self) -> None:
        seconds = max(self._due - self._options.clock.monotonic(), 0)
        # Rounded up: half a microsecond early would be too early, and then be waited for in a circle.
        self._options.clock.wait(self._wake, timedelta(microseconds=ceil(seconds * 1_000_000)))

    def _report(self, result: ReconciliationResult) -> ReconciliationResult:
        _log.debug("pass ended", extra={"status": result.status.value, "presets": len(result.presets)})
        if self._on_result:
            self._on_result(result)
        return result

    def _attempt(self, step: Callable[[], object]) -> None:
        """Do a step of `run`, which no error may end."""
        try:
            step()
        except UnknownPresetError as error:
            _log.info("an event named a preset that is not there", extra={"preset_id": error.preset_id})
        except Exception:
            _log.exception("a step of the loop failed")
