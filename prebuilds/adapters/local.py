"""A builder for trying things out: every build succeeds after a delay, and nothing is really made.

- It keeps nothing in memory and reads its work from the store. If its process is killed, no build is lost: another
  process on the same store goes on.
- Several of them can share a store. Each build is done once, as it begins and ends once.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from prebuilds.decision.models import Transition
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.build_reports import BuildReports
from prebuilds.runtime.clocks import choose_clock
from prebuilds.runtime.models import BuildRequest, Workspace
from prebuilds.runtime.ports import Clock, Store
from prebuilds.runtime.publishing.relays import Relay

_log = logging.getLogger(__name__)
_POLL = timedelta(seconds=1)  # for builds that another process has submitted


class LocalBuilder:
    """A `WorkspaceBuilder` whose builds take `delay`. `run` does them as they come due, `work` those due now."""

    def __init__(self, store: Store, *, clock: Clock, delay: timedelta, relay: Relay | None = None) -> None:
        if not isinstance(delay, timedelta) or delay < timedelta():
            raise InvalidValueError("LocalBuilder", "delay", delay, "a timedelta of 0 or more")
        self._store = store
        self._clock = choose_clock(store, clock)
        self._delay = delay
        self._reports = BuildReports(store, clock=clock, relay=relay)
        self._wake = threading.Event()
        self._stopping = threading.Event()

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        self._wake.set()

    def run(self) -> None:
        """Do builds as they come due, until `stop` is called."""
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                wait = self.work()
            except Exception:
                _log.exception("builds not done")
                wait = None
            self._clock.wait(self._wake, _POLL if wait is None else min(wait, _POLL))

    def stop(self) -> None:
        """End `run` before the next build."""
        self._stopping.set()
        self._wake.set()

    def work(self) -> timedelta | None:
        """Do the builds that are due. Returns the time until the next one is due; None if there is none."""
        with self._store.transaction(read_only=True) as tx:
            prebuilds = tx.read_rows().prebuilds
        for workspace in prebuilds:
            if workspace.is_running and not workspace.ready:  # its process was killed before it could report it
                self._reports.make_ready(workspace.id)
        waiting = [row for row in prebuilds if _is_waiting(row)]
        waits = [(row, row.last_build.created_at + self._delay - self._clock.now()) for row in waiting]
        for workspace, wait in waits:
            if wait <= timedelta() and not self._stopping.is_set():
                self._finish(workspace)
        return min((wait for _, wait in waits if wait > timedelta()), default=None)

    def _finish(self, workspace: Workspace) -> None:
        build = workspace.last_build
        self._reports.begin(build.id)
        if self._reports.succeed(build.id) and build.transition is Transition.START:
            self._reports.make_ready(workspace.id)


def _is_waiting(workspace: Workspace) -> bool:
    return workspace.last_build.submitted and not workspace.last_build.status.is_final
