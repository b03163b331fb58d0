"""Metrics for Prometheus: a collector that tells what was last read of the store, and reads it in the background.

- A scrape touches no storage and waits for none, however slow that is.
- All that is told of the store is of one moment. `metrics_last_updated` tells of which, and stands still while reading
  fails or lasts too long.
- A store that hangs holds up one thread at most: nothing is read again before that one has come back.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from prebuilds.decision.models import Policy
from prebuilds.errors import InvalidValueError
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
    counts as failed. After a failure, which is logged, what was read last is told on. `policy` is the reconciler's.
    Raises `InvalidValueError` and `MissingExtraError`.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        prefix: str = DEFAULT_PREFIX,
        interval: timedelta = _INTERVAL,
        timeout: timedelta = _TIMEOUT,
        policy: Policy = _DEFAULT_POLICY,
    ) -> None:
        check_extra()
        self._prefix = _check_prefix(prefix)
        self._interval = _check_wait("interval", interval)
        self._timeout = _check_wait("timeout", timeout)
        self._read = partial(take_reading, store, clock, policy)
        self._clock = clock
        self._durations = Durations()
        self._reading: Reading | None = None
        self._starting = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._attempt: _Attempt | None = None

    def collect(self) -> Iterator[Metric]:
        """All metrics as of the last fetch. prometheus-client calls it at each scrape."""
        return make_families(self._prefix, self._reading, self._durations)

    def describe(self) -> Iterator[Metric]:
        """All metrics without a series. prometheus-client calls it to see that no name is registered twice."""
        return make_families(self._prefix, None, Durations())

    def observe_duration(self, elapsed: timedelta) -> None:
        """Count how long a reconciliation took, by any thread. Raises `InvalidValueError` for less than nothing."""
        self._durations.add(elapsed)

    def fetch(self) -> None:
        """Read the store now, in this thread and without a time-out. Raises what the store raises."""
        self._reading = self._read()

    def start(self) -> None:
        """Begin to fetch in the background. Nothing if that has begun, or the collector has been closed."""
        with self._starting:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="prebuilds-metrics", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End fetching for good, at any time and as often as one likes; what was read last is told on.

        A fetch that is under way is not waited for: its thread ends when the store lets it.
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
            except Exception as error:  # such as no further thread to be had; the next fetch may find one
                log_error(_log, "metrics not fetched", error)
            self._clock.wait(self._closing, self._interval)

    def _try_fetch(self) -> None:
        """Fetch in a thread of its own, as nothing can interrupt a store that hangs, unless the last one still does."""
        if self._attempt and self._attempt.is_running:
            _log.error("metrics not fetched: the last fetch is still under way")
            return
        with self._starting:  # so that `close` finds the attempt, or is found
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
    """One read of the store, in a thread of its own. `settled` is set when it has ended or nobody waits any more."""

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
