"""Builds: which template version one runs with, and how the host's builder reports on it.

- A start names its version. A delete names none, so that a prebuild is removed by the version that made it, however
  often another has been promoted since.
- A report is one transaction: the build's new status, what metrics count of it, and the message that tells the loop.
"""

from __future__ import annotations

from datetime import datetime

from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.errors import UnresolvedVersionError
from prebuilds.runtime.models import BuildRequest, Counter, Message, Workspace, WorkspaceBuild
from prebuilds.runtime.ports import Clock, Store, Transaction
from prebuilds.runtime.publishing.relays import Relay, flush_quietly

PREBUILDS_CHANGED = "prebuilds.changed"
"""The topic for whatever may call for another decision; the body is the id of the preset, or empty for all."""


def resolve_template_version(request: BuildRequest, last_build: WorkspaceBuild | None) -> str:
    """The template version that a build runs with: the request's, else that of the workspace's last build.

    Raises `UnresolvedVersionError` if there is neither.
    """
    if request.template_version_id is not None:
        return request.template_version_id
    if last_build is None:
        raise UnresolvedVersionError(request.workspace_id)
    return last_build.template_version_id


def make_build(request: BuildRequest, last_build: WorkspaceBuild | None, *, now: datetime) -> WorkspaceBuild:
    """The build that a request adds to a workspace, after the last one that it has. Raises `UnresolvedVersionError`."""
    return WorkspaceBuild(
        id=request.build_id,
        number=last_build.number + 1 if last_build else 1,
        transition=request.transition,
        status=BuildStatus.PENDING,
        template_version_id=resolve_template_version(request, last_build),
        created_at=now,
    )


class BuildReports:
    """What the host's builder calls to tell how its builds fare; each call is one transaction of the store.

    With a `relay` the loop hears of it at once, else when somebody flushes the store's outbox.
    """

    def __init__(self, store: Store, *, clock: Clock, relay: Relay | None = None) -> None:
        self._store = store
        self._clock = clock
        self._relay = relay

    def begin(self, build_id: str) -> bool:
        """Whether to do the build now: False if it was canceled, or has begun already."""
        with self._store.transaction() as tx:
            return tx.begin_build(build_id, now=self._clock.now())

    def succeed(self, build_id: str) -> bool:
        """The build has succeeded. False, and nothing is done, if it had ended already."""
        return self._finish(build_id, BuildStatus.SUCCEEDED)

    def fail(self, build_id: str) -> bool:
        """The build has failed. False, and nothing is done, if it had ended already."""
        return self._finish(build_id, BuildStatus.FAILED)

    def cancel(self, build_id: str) -> bool:
        """The build was lost, as with a restart of the host: it will never end. False if it had ended already.

        That is no failure. A prebuild whose start was lost is deleted, and replaced at once.
        """
        return self._finish(build_id, BuildStatus.CANCELED)

    def lose(self, workspace_id: str) -> bool:
        """The prebuild is no longer there, or of no use: no user gets it, and it is deleted and replaced.

        False, and nothing is done, if it is not there, given up already, or a user's: that stays its owner's.
        """
        with self._store.transaction() as tx:
            is_given_up = give_up(tx, workspace_id, now=self._clock.now())
        flush_quietly(self._relay)
        return is_given_up

    def make_ready(self, workspace_id: str) -> bool:
        """A user could work in the workspace now. False, and nothing is done, unless it runs and was not ready."""
        with self._store.transaction() as tx:
            workspace = tx.mark_ready(workspace_id)
            tell_changed(tx, workspace)
        flush_quietly(self._relay)
        return workspace is not None

    def make_unready(self, workspace_id: str) -> bool:
        """No user could work in the prebuild now. False, and nothing is done, unless it was one and ready.

        It keeps its place, and users get others, until `make_ready` or `lose`.
        """
        with self._store.transaction() as tx:
            workspace = tx.mark_unready(workspace_id)
            tell_changed(tx, workspace)
        flush_quietly(self._relay)
        return workspace is not None

    def replace_resource(self, preset_id: str) -> None:
        """A resource of a prebuild of this preset had to be replaced when it was claimed; metrics count it."""
        with self._store.transaction() as tx:
            tx.count(preset_id, Counter.RESOURCE_REPLACED)

    def _finish(self, build_id: str, status: BuildStatus) -> bool:
        with self._store.transaction() as tx:
            is_finished = finish_build(tx, build_id, status, now=self._clock.now())
        flush_quietly(self._relay)
        return is_finished


def finish_build(tx: Transaction, build_id: str, status: BuildStatus, *, now: datetime) -> bool:
    """End a build within a transaction: its status, the count of failures, and the message to the loop."""
    workspace = tx.finish_build(build_id, status, now=now)
    if workspace and status is BuildStatus.FAILED and workspace.last_build.transition is Transition.START:
        tx.count(workspace.preset_id, Counter.FAILED)
    tell_changed(tx, workspace)
    return workspace is not None


def give_up(tx: Transaction, workspace_id: str, *, now: datetime) -> bool:
    """Give a prebuild up within a transaction; a start that is under way is canceled, so that it fills no place."""
    workspace = tx.retire_prebuild(workspace_id)
    if workspace is None:
        return False
    if workspace.last_build.transition is Transition.START and not workspace.last_build.status.is_final:
        tx.finish_build(workspace.last_build.id, BuildStatus.CANCELED, now=now)
    tell_changed(tx, workspace)
    return True


def tell_changed(tx: Transaction, workspace: Workspace | None) -> None:
    """Tell the loop that the prebuilds of the workspace's preset have changed, once this is committed."""
    if workspace:
        tx.publish_on_commit(Message(topic=PREBUILDS_CHANGED, body=workspace.preset_id))
