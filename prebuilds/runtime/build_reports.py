"""Build reports: the host's builder says here how each build went.

A report is one transaction. It writes the build's new status, the counters for metrics, and the message to the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from prebuilds.decision.fields import describe_members
from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.decision.policies.failures import FailureClass, tidy_message
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.clocks import SYSTEM_CLOCK, choose_clock
from prebuilds.runtime.models import Counter, Message, Workspace
from prebuilds.runtime.ports import Clock, Store, Transaction
from prebuilds.runtime.publishing.relays import Relay, change_and_flush

PREBUILDS_CHANGED = "prebuilds.changed"
"""The topic of changes that may alter a decision. The body is the id of the preset, or empty for all presets."""


class BuildReports:
    """The host's builder calls these methods to report on its builds. Each call is one transaction of the store.

    With a `relay` the loop hears of a report at once. Without one it hears when the store's outbox is next flushed.
    """

    def __init__(self, store: Store, *, clock: Clock = SYSTEM_CLOCK, relay: Relay | None = None) -> None:
        self._store = store
        self._clock = choose_clock(store, clock)
        self._relay = relay

    def begin(self, build_id: str) -> bool:
        """Whether to do the build now. False if it was canceled or has already begun."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            return tx.begin_build(build_id, now=now)

    def succeed(self, build_id: str) -> bool:
        """Report that the build succeeded. Does nothing and returns False if it had already ended."""
        return self._finish(build_id, BuildStatus.SUCCEEDED)

    def fail(self, build_id: str, *, failure: FailureClass = FailureClass.TRANSIENT, message: str = "") -> bool:
        """Report that the build failed. Does nothing and returns False if it had already ended.

        `failure` tells whether to try again (R19), and `message` says why it failed, for people. The message is kept on
        one line of at most 500 characters. Raises `InvalidValueError` for a `failure` that is no `FailureClass`.
        """
        if not isinstance(failure, FailureClass):
            raise InvalidValueError("BuildReports.fail", "failure", failure, describe_members(FailureClass))
        return self._finish(build_id, BuildStatus.FAILED, failure=failure, message=tidy_message(message))

    def cancel(self, build_id: str) -> bool:
        """Report that the build was lost, for example in a restart of the host. False if it had already ended.

        This does not count as a failure. A prebuild whose start was lost is deleted and replaced at once.
        """
        return self._finish(build_id, BuildStatus.CANCELED)

    def lose(self, workspace_id: str) -> bool:
        """Report that the prebuild is gone or useless. No user gets it, and it is deleted and replaced.

        Does nothing and returns False if the workspace is unknown, already given up, or claimed by a user.
        """
        now = self._clock.now()
        return self._change(lambda tx: give_up(tx, workspace_id, now=now))

    def make_ready(self, workspace_id: str) -> bool:
        """Report that the workspace is ready. Does nothing and returns False unless it runs and was not ready."""
        return self._change(lambda tx: tell_changed(tx, tx.mark_ready(workspace_id)))

    def make_unready(self, workspace_id: str) -> bool:
        """Report that the prebuild is not ready. Does nothing and returns False unless it was ready.

        It keeps its place in the pool, and users get other prebuilds, until `make_ready` or `lose`.
        """
        return self._change(lambda tx: tell_changed(tx, tx.mark_unready(workspace_id)))

    def replace_resource(self, preset_id: str) -> None:
        """Count for metrics that a claim of this preset had to replace a resource of the prebuild."""
        with self._store.transaction() as tx:
            tx.count(preset_id, Counter.RESOURCE_REPLACED)

    def _finish(
        self,
        build_id: str,
        status: BuildStatus,
        *,
        failure: FailureClass = FailureClass.TRANSIENT,
        message: str = "",
    ) -> bool:
        now = self._clock.now()

        def finish(tx: Transaction) -> bool:
            return finish_build(tx, build_id, status, now=now, failure=failure, message=message)

        return self._change(finish)

    def _change(self, change: Callable[[Transaction], bool]) -> bool:
        return change_and_flush(self._store, self._relay, change)


def finish_build(
    tx: Transaction,
    build_id: str,
    status: BuildStatus,
    *,
    now: datetime,
    failure: FailureClass = FailureClass.TRANSIENT,
    message: str = "",
) -> bool:
    """End a build within a transaction: write its status and why, count a failure, and send the loop a message."""
    workspace = tx.finish_build(build_id, status, now=now, failure=failure, message=message)
    build = workspace.last_build if workspace else None
    if workspace and build and build.status is BuildStatus.FAILED and build.transition is Transition.START:
        tx.count(workspace.preset_id, Counter.FAILED)
    return tell_changed(tx, workspace)


def give_up(tx: Transaction, workspace_id: str, *, now: datetime) -> bool:
    """Give up a prebuild within a transaction. Cancel its start if that is under way, so that it fills no place."""
    workspace = tx.retire_prebuild(workspace_id)
    if workspace is None:
        return False
    if workspace.last_build.transition is Transition.START and not workspace.last_build.status.is_final:
        tx.finish_build(workspace.last_build.id, BuildStatus.CANCELED, now=now)
    return tell_changed(tx, workspace)


def tell_changed(tx: Transaction, workspace: Workspace | None) -> bool:
    """After the commit, tell the loop that the prebuilds of the workspace's preset have changed.

    Does nothing and returns False without a workspace.
    """
    if workspace is None:
        return False
    tx.publish_on_commit(make_change_message(workspace.preset_id))
    return True


def make_change_message(preset_id: str) -> Message:
    """The message that tells the loop of a change to this preset."""
    return Message(topic=PREBUILDS_CHANGED, body=preset_id)
