"""The collector for Prometheus: it reads the store in the background, and answers scrapes from the last reading.

- A scrape never touches the store, and never waits for it.
- All metrics of the store show one moment. `metrics_last_updated` says which. It stands still while reading fails or
  takes too long.
- A store that hangs blocks one thread at most. Nothing is read again before that thread has returned.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from prebuilds.decision.policies.policy import Policy
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.clocks import SYSTEM_CLOCK, choose_clock
from prebuilds.runtime.logs import log_error
from prebuilds.runtime.metrics.exposition import Durations, check_extra, make_families
from prebuilds.runtime.metrics.readings import Reading, take_reading
from prebuilds.runtime.ports import Clock, Store

if TYPE_CHECKING:
    from prometheus_client import Metric

_log = logging.getLogger(__name__)

DEFAULT_PREFIX = "coderd_prebuilt_workspaces_"
_DEFAULT_POLICY = Policy()
_INTERVAL = timedelta(seconds=60)
_TIMEOUT = timedelta(seconds=10)
_DAY = timedelta(days=1)
_PREFIX = re.compile("(?:[a-zA-Z_][a-zA-Z0-9_]*)?")  # colons are for recording rules


class MetricsCollector:
    """A collector for a registry of prometheus-client: `registry.register(collector)`. Needs the extra `metrics`.

    `start` reads the store at once and then every `interval`, until `close`. A read that lasts longer than `timeout`
    counts as failed. A failure is logged, and scrapes still get the last reading. Give it the `policy` of the
    reconciler. Raises `InvalidValueError` and `MissingExtraError`.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock = SYSTEM_CLOCK,
        prefix: str = DEFAULT_PREFIX,
        interval: timedelta = _INTERVAL,
        timeout: timedelta = _TIMEOUT,
        policy: Policy = _DEFAULT_POLICY,
    ) -> None:
        check_extra()
        self._prefix = _check_prefix(prefix)
        self._interval = _check_wait("interval", interval)
        self._timeout = _check_wait("timeout", timeout)
        clock = choose_clock(store, clock)
        self._read = partial(take_reading, store, clock, policy)
        self._clock = clock
        self._durations = Durations()
        self._reading: Reading | None = None
        self._starting = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._attempt: _Attempt | None = None

    def collect(self) -> Iterator[Metric]:
        """All metrics as of the last fetch. prometheus-client calls this at each scrape."""
        return make_families(self._prefix, self._reading, self._durations)

    def describe(self) -> Iterator[Metric]:
        """All metrics without series. prometheus-client calls this to check that no name is registered twice."""
        return make_families(self._prefix, None, Durations())

    def observe_duration(self, elapsed: timedelta) -> None:
        """Count how long a reconciliation took. Any thread may call it. Raises `InvalidValueError` if negative."""
        self._durations.add(elapsed)

    def fetch(self) -> None:
        """Read the store now, in this thread and without a time-out. Raises any error of the store."""
        self._reading = self._read()

    def start(self) -> None:
        """Begin to fetch in the background. Does nothing if it has begun, or if the collector was closed."""
        with self._starting:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="prebuilds-metrics", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End fetching for good. May be called at any time and repeatedly. Scrapes still get the last reading.

        It does not wait for a fetch under way, whose thread ends when the store returns.
        """
        with self._starting:
            self._closing.set()
            attempt, thread = self._attempt, self._thread
        if attempt:
            attempt.settled.set()
        if thread:
            thread.join(self._timeout.total_seconds())

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._try_fetch()
            except Exception as error:  # for example, no thread can be started; the next fetch may succeed
                log_error(_log, "metrics not fetched", error)
            self._clock.wait(self._closing, self._interval)

    def _try_fetch(self) -> None:
        """Fetch in a separate thread, as nothing can interrupt a hanging store. Skip if the last fetch still runs."""
        if self._attempt and self._attempt.is_running:
            _log.error("metrics not fetched: the last fetch is still under way")
            return
        with self._starting:  # so that `close` sees the attempt, or the attempt sees `close`
            if self._closing.is_set():
                return
            self._attempt = attempt = _Attempt(self._read)
        if not self._clock.wait(attempt.settled, self._timeout):
            _log.error("metrics not fetched in time", extra={"seconds": self._timeout.total_seconds()})
        elif attempt.error:
            log_error(_log, "metrics not fetched", attempt.error)
        elif attempt.reading:
            self._reading = attempt.reading


class _Attempt:
    """One read of the store, in a separate thread. `settled` is set when it has ended or nobody waits any more."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self.settled = threading.Event()
        self.is_running = True
        self.reading: Reading | None = None
        self.error: BaseException | None = None
        self._read = read
        threading.Thread(target=self._run, name="prebuilds-metrics-fetch", daemon=True).start()

    def _run(self) -> None:
        try:
            self.reading = self._read()
        except BaseException as error:
            self.error = error
        self.is_running = False
        self.settled.set()


def _check_prefix(prefix: str) -> str:
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        allowed = "letters, digits and underscores, the first of them no digit"
        raise InvalidValueError("MetricsCollector", "prefix", prefix, allowed)
    return prefix


def _check_wait(name: str, wait: timedelta) -> timedelta:
    if not isinstance(wait, timedelta) or not timedelta() < wait <= _DAY:
        raise InvalidValueError("MetricsCollector", name, wait, "a timedelta of more than 0, and of a day at most")
    return wait
