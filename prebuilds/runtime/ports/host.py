"""What the host provides beside its tables: the builder of workspaces, and time."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from prebuilds.runtime.models import BuildRequest


@runtime_checkable
class WorkspaceBuilder(Protocol):
    """Makes and removes workspaces. The host provides it; it reports on its builds through `BuildReports`."""

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:
        """Accept a build, to do it in the background. Called outside any transaction.

        A build whose id was accepted before is not done twice. An error means that the build was not accepted, and it
        counts as failed. Two errors differ. `NoRoomError` means that there is no room for a start now: the start is
        canceled, which is not a failure, and the preset waits for room. `TimeoutError` means that nobody knows: the
        build is submitted again later.

        The loop gives up on a call that lasts longer than `timeout`. It does not submit the build again before that
        call has ended, and the late result still counts.
        """
        ...


@runtime_checkable
class CancelingBuilder(WorkspaceBuilder, Protocol):
    """A `WorkspaceBuilder` that can stop a build. The loop asks it to stop starts that are overdue (R14)."""

    def cancel(self, build_id: str, *, timeout: timedelta) -> None:
        """Stop a build as soon as possible. Called outside any transaction, like `submit`.

        The builder still reports the end of the build, usually by `BuildReports.cancel`; then its workspace is deleted.
        Until that report the loop may ask again. A build that has ended is left alone. For a build that is unknown, as
        after a restart of the host, report that it was canceled.
        """
        ...


class Clock(Protocol):
    """Tells the time, and waits."""

    def now(self) -> datetime:
        """The current instant, with a time zone."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment. They never go back."""
        ...

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        """Wait until the event is set, for at most `timeout`. Returns whether it is set."""
        ...
