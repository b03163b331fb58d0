"""A scripted builder: it takes builds at once, and does them in `step` and `work`, as its script says.

- It takes a build once, however often it is submitted.
- `resources` is what really exists, by workspace id. A test can compare the store with it.
- It does builds one after the other, in the order in which it took them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from enum import Enum

from prebuilds.decision.models import Transition
from prebuilds.errors import NoRoomError
from prebuilds.runtime.build_reports import BuildReports
from prebuilds.runtime.models import BuildRequest
from prebuilds.runtime.ports import Clock, Store, WorkspaceBuilder


class Script(Enum):
    """What happens to a build."""

    SUCCEED = "succeed"
    FAIL = "fail"
    """The builder takes it, and it fails."""
    REFUSE = "refuse"
    """The builder does not take it: `submit` raises `ConnectionRefusedError`."""
    TIME_OUT = "time_out"
    """The builder may have taken it or not: `submit` raises `TimeoutError` at once, so that every run is the same."""
    HANG = "hang"
    """`submit` returns only after a call of `release`; then the builder takes it, and it succeeds."""


OnSubmit = Callable[[BuildRequest, str], None]


class ScriptedBuilder:
    """A `WorkspaceBuilder` for tests.

    `script` says what happens to a build, and `has_room` whether the builder can take a start now. It calls
    `on_submit` for each submit.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        script: Callable[[BuildRequest], Script] = lambda _: Script.SUCCEED,
        on_submit: OnSubmit = lambda _request, _version: None,
        has_room: Callable[[BuildRequest], bool] = lambda _: True,
    ) -> None:
        self.has_room = has_room
        self._reports = BuildReports(store, clock=clock)
        self._script = script
        self._on_submit = on_submit
        self._queue: list[BuildRequest] = []
        self._taken: dict[str, str] = {}
        self._begun: set[str] = set()
        self._canceled: list[str] = []
        self._released = threading.Event()
        self.failed: list[BuildRequest] = []
        self.resources: dict[str, str] = {}
        """The template version that made each resource, by workspace id."""

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:
        self._on_submit(request, template_version_id)
        script = self._script(request)
        if script is Script.TIME_OUT:
            raise TimeoutError(f"not within {timeout.total_seconds():g} s")
        if script is Script.HANG:
            self._released.wait()
        if script is Script.REFUSE:
            raise ConnectionRefusedError(f"the builder takes nothing of {request.preset_id or request.workspace_id}")
        if request.build_id not in self._taken:
            if request.transition is Transition.START and not self.has_room(request):
                raise NoRoomError(f"for {request.preset_id}")
            self._taken[request.build_id] = template_version_id
            self._queue.append(request)

    def cancel(self, build_id: str, *, timeout: timedelta) -> None:  # noqa: ARG002
        """Drop a build, also if it is unknown. A later `step` reports that it was canceled."""
        self._drop(build_id)
        self._canceled.append(build_id)

    def release(self) -> None:
        """Let every hanging `submit` return, and hang no more. A test with the script `HANG` ends with this."""
        self._released.set()

    @property
    def starting(self) -> Sequence[BuildRequest]:
        """The starts that were taken and have not ended."""
        return [request for request in self._queue if request.transition is Transition.START]

    def step(self) -> bool:
        """Report a canceled build, or begin or end the oldest build. Returns whether there was one."""
        if self._canceled:
            self._reports.cancel(self._canceled[0])
            self._canceled.pop(0)
            return True
        if not self._queue:
            return False
        request = self._queue[0]
        if request.build_id in self._begun:
            self._finish(request)
            self._drop(request.build_id)
        elif self._reports.begin(request.build_id):
            self._begun.add(request.build_id)
        else:
            self._drop(request.build_id)  # it was canceled
        return True

    def _drop(self, build_id: str) -> None:
        self._queue = [request for request in self._queue if request.build_id != build_id]

    def work(self) -> None:
        """Do all builds that were taken."""
        while self.step():
            pass

    def _finish(self, request: BuildRequest) -> None:
        if self._script(request) is Script.FAIL:
            self.failed.append(request)
            self._reports.fail(request.build_id)
        elif request.transition is Transition.START:
            self.resources[request.workspace_id] = self._taken[request.build_id]
            self._reports.succeed(request.build_id)
            self._reports.make_ready(request.workspace_id)
        else:
            self.resources.pop(request.workspace_id, None)
            self._reports.succeed(request.build_id)


class SubmittingBuilder:
    """A `WorkspaceBuilder` without `cancel`, which hands each build to another."""

    def __init__(self, builder: WorkspaceBuilder) -> None:
        self._builder = builder

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:
        self._builder.submit(request, template_version_id, timeout=timeout)
