"""What the runtime needs from its host, as small protocols, one for each role.

- A host implements them over its own tables. `prebuilds.adapters` has three complete implementations, and
  `prebuilds.testing` checks any other.
- Every read and every write belongs to a transaction. A `Store` begins them; a `Transaction` has every role.
- Every wait is bounded. `TimeoutError` from any method means that nothing was written and that a retry is safe;
  all other errors end the transaction with nothing written.
- A method that is asked to do what is already done does nothing, and its return value says so.
- Several threads call these methods at the same time, each with its own transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol, runtime_checkable

from prebuilds.decision.models import Build, BuildStatus, PrebuildStatus, Preset
from prebuilds.runtime.models import (
    BuildRequest,
    ClaimRequest,
    Counter,
    CounterValue,
    Lease,
    Message,
    OutboxEntry,
    Workspace,
)


class Isolation(Enum):
    """What a transaction sees of others that run at the same time. A store may isolate more than it is asked to."""

    READ_COMMITTED = "read_committed"
    """Each statement sees what was committed before it."""
    REPEATABLE_READ = "repeatable_read"
    """All statements see the same moment."""


class FleetReads(Protocol):
    """What a plan is made from. With a `preset_id`, only rows of that preset are read; none if it is unknown."""

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        """Every preset that may need or still have prebuilds, including inactive ones, in a stable order.

        Normally a preset belongs to one template version for good. Promoting another version makes all presets of the
        old one inactive at once. If a preset keeps its id but changes its version or its parameters, its existing
        prebuilds are outdated (R2).
        """
        ...

    def list_prebuilds(self, preset_id: str | None = None) -> Sequence[Workspace]:
        """Every workspace of the prebuilds user that is not deleted, in any state of its last build. In any order."""
        ...

    def list_builds(self, *, ended_since: datetime, latest: int, preset_id: str | None = None) -> Sequence[Build]:
        """The builds that decide backoffs and hard limits (R13), in any order; extra builds do no harm.

        They are start builds of prebuilds that succeeded or failed, began after the preset's last reset, and ran with
        the version that the preset has now, where both are known. For each preset, return those that ended at
        `ended_since` or later, and all builds of its `latest` most recent attempts. Builds with the same `created_at`
        began in one pass and are one attempt. Include builds of workspaces that have been claimed or deleted since.
        `make_outcome` turns a finished build into a `Build`.
        """
        ...

    def list_resets(self, preset_id: str | None = None) -> Sequence[tuple[str, datetime]]:
        """When each preset was last reset, as (preset id, instant); presets never reset are left out."""
        ...

    def list_memberships(self) -> Sequence[str]:
        """The ids of the organisations that the prebuilds user belongs to."""
        ...

    def is_paused(self) -> bool:
        """Whether reconciliation is paused."""
        ...


class WorkspaceWrites(Protocol):
    """Creating and deleting prebuilds. A build is added as PENDING and not submitted."""

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        """The workspace, claimed or not, deleted or not; None if there never was one with this id."""
        ...

    def insert_prebuild(self, request: BuildRequest, *, name: str, now: datetime) -> bool:
        """Add a workspace of the prebuilds user and its first build, as the start `request` asks.

        Compare and set: adds nothing and returns False unless the preset exists, is active, and has the version that
        the request names. A transaction that would change this waits until this one has ended, or makes it fail. Also
        returns False if a workspace or a build with one of these ids exists. The workspace keeps the parameters of the
        request, so that the same build can be requested again.
        """
        ...

    def insert_delete(self, request: BuildRequest, *, now: datetime) -> bool:
        """Add a delete build to a prebuild.

        Compare and set: adds nothing and returns False unless the workspace exists, still belongs to the prebuilds
        user, is not deleted, and has no build that is PENDING or RUNNING. A claim of it waits until this transaction
        has ended, or takes another. The build runs with the version that `resolve_template_version` returns.
        """
        ...

    def insert_failed_build(self, request: BuildRequest, *, now: datetime) -> None:
        """Record that a prebuild could not be added: a start build of the preset that failed at `now`, without a
        workspace. Does nothing if a build with this id exists.
        """
        ...

    def cancel_pending(self, preset_id: str, *, now: datetime) -> Sequence[str]:
        """Cancel the first builds of the preset's prebuilds that have not begun, and mark their workspaces deleted.

        Touches a build only if it is the first of a prebuild, is PENDING, and its preset is inactive now. Returns the
        ids of the workspaces.
        """
        ...

    def retire_prebuild(self, workspace_id: str) -> Workspace | None:
        """Give up a prebuild: from now on no user gets it, and it waits to be deleted.

        Returns the changed workspace. Does nothing and returns None unless it is a prebuild that is neither deleted nor
        already given up. A prebuild that is being given up cannot be taken: one transaction waits for the other.
        """
        ...

    def release_workspace(self, workspace_id: str, *, name: str) -> Workspace | None:
        """Take a workspace back from the user who claimed it: it belongs to the prebuilds user, under this name, and is
        given up. Its old name is free again.

        Returns the changed workspace. Does nothing and returns None unless it is claimed and not deleted.
        """
        ...

    def forget_workspace(self, workspace_id: str) -> Workspace | None:
        """Mark a claimed workspace deleted without a build, as the host has deleted it. Its name is free again.

        Returns the changed workspace. Does nothing and returns None unless it is claimed and not deleted.
        """
        ...


class BuildWrites(Protocol):
    """The progress of builds. A build moves from PENDING through RUNNING to a final status, and never back."""

    def mark_submitted(self, build_id: str) -> None:
        """Note that the host's builder has taken the build."""
        ...

    def begin_build(self, build_id: str, *, now: datetime) -> bool:
        """Move a build from PENDING to RUNNING. Returns False if it is not PENDING, for example canceled."""
        ...

    def finish_build(self, build_id: str, status: BuildStatus, *, now: datetime) -> Workspace | None:
        """Move a build that is PENDING or RUNNING to this final status.

        A delete that SUCCEEDED marks its workspace deleted; one that FAILED adds to its `failed_deletes`. `now` may
        come from a clock behind the one that began the build: the build then ends when it began, as in `end_build`.
        Returns the changed workspace. Does nothing and returns None if the build does not exist or has already ended.
        """
        ...

    def mark_ready(self, workspace_id: str) -> Workspace | None:
        """Note that a running workspace is ready for a user. Returns the changed workspace. Does nothing and returns
        None if it is not running or already ready.
        """
        ...

    def mark_unready(self, workspace_id: str) -> Workspace | None:
        """Note that a prebuild is no longer ready for a user. Returns the changed workspace. Does nothing and returns
        None unless it is a prebuild, not deleted, and was ready.
        """
        ...


class ClaimWrites(Protocol):
    """Giving prebuilds to users."""

    def find_claim(self, request_id: str) -> tuple[ClaimRequest, Workspace] | None:
        """The claim with this request id, and the workspace that it got; None if there is none."""
        ...

    def take_prebuild(self, take: ClaimRequest) -> Workspace | None:
        """Give the first prebuild that fits `take` its new owner and name, and return it; None if none fits.

        `is_claimable` tells which prebuilds fit: not one that was given up, nor one whose version or parameters differ
        from what its preset has now. Two transactions never take the same prebuild; one that another transaction has
        locked is passed over or waited for. The preset must be active, and stay active until this transaction has
        ended. The claim is recorded under its request id, if it has one. Raises `NameTakenError` if the owner has a
        workspace of this name that is not deleted, and `ClaimConflictError` if the request id is already recorded.
        """
        ...


class SettingsWrites(Protocol):
    """What people set, and what the reconciler tells them. Presets that do not exist are ignored."""

    def set_paused(self, *, paused: bool) -> None:
        """Pause or resume reconciliation."""
        ...

    def set_prebuild_status(self, preset_id: str, status: PrebuildStatus) -> None:
        """Set the status that people see of a preset's prebuilds."""
        ...

    def set_reset(self, preset_id: str, *, at: datetime) -> None:
        """Note that a preset's failures up to this instant no longer count towards its hard limit."""
        ...

    def set_invalidated(self, preset_id: str, *, at: datetime) -> None:
        """Note that all prebuilds created before this instant have expired."""
        ...

    def add_membership(self, organization_id: str) -> None:
        """Make the prebuilds user a member of an organisation, if it is not one yet."""
        ...

    def put_preset(self, preset: Preset) -> None:
        """Add a preset, or replace the one with its id. A host that has presets elsewhere needs it only for tests."""
        ...


class CounterWrites(Protocol):
    """Counters for metrics, written in the same transaction as what they count."""

    def count(self, preset_id: str, counter: Counter) -> None:
        """Add one."""
        ...

    def list_counters(self) -> Sequence[CounterValue]:
        """Every counter that is not 0, in any order."""
        ...


class LeaseWrites(Protocol):
    """Who may reconcile."""

    def take_lease(self, name: str, holder: str, *, now: datetime, expires_at: datetime) -> Lease | None:
        """The lease for this holder until `expires_at`; None while another holds one that expires after `now`.

        A holder that already has it keeps its token. Any other gets a token larger than all before.
        """
        ...

    def find_lease(self, name: str) -> Lease | None:
        """The lease as it was last taken, even if it has expired. None if it was never taken or has been released."""
        ...

    def release_lease(self, lease: Lease) -> None:
        """Let others take the lease now. Does nothing if it was taken since. Its token is never given out again."""
        ...


class OutboxWrites(Protocol):
    """Messages that are sent if, and only if, the transaction is committed."""

    def publish_on_commit(self, message: Message) -> None:
        """Send the message after the outermost transaction is committed, and after messages handed over before it.

        It is dropped if the transaction, or the `nested` part that it was handed to, is rolled back.
        """
        ...

    def list_messages(self, limit: int) -> Sequence[OutboxEntry]:
        """The first messages that wait in the outbox. Empty if the store keeps committed messages elsewhere."""
        ...

    def delete_messages(self, ids: Sequence[int]) -> None:
        """Remove messages that have been sent. Unknown ids are ignored."""
        ...


class Transaction(
    FleetReads,
    WorkspaceWrites,
    BuildWrites,
    ClaimWrites,
    SettingsWrites,
    CounterWrites,
    LeaseWrites,
    OutboxWrites,
    Protocol,
):
    """Everything that can be read and written together. It lasts as long as its `with` block."""

    def nested(self) -> AbstractContextManager[None]:
        """A part of the transaction: an error that leaves it rolls back this part alone. Committed with the whole."""
        ...


class Store(Protocol):
    """Begins transactions."""

    @property
    def max_connections(self) -> int:
        """How many transactions can be open at once."""
        ...

    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> AbstractContextManager[Transaction]:
        """A transaction: committed when its block ends, rolled back when an error leaves it.

        If it is `read_only`, every write raises `ReadOnlyTransactionError`.

        With a `lease`, raises `LeaseLostError` unless its token is still the last one given out. Another holder that
        wants the lease waits until the transaction has ended. Raises `PoolExhaustedError` if no connection becomes free
        in time and `NestedTransactionError` inside another transaction of this store.

        Raises `CommitUnknownError` if the connection is lost during the commit: it may or may not have succeeded.
        """
        ...


class PubSub(Protocol):
    """Carries messages to listeners, within a process or between several."""

    def publish(self, message: Message) -> None:
        """Send a message. Raises `PublishInTransactionError` inside a transaction of any store."""
        ...

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        """Call the listener with every message published on the topic from now on. Returns a function that ends it.

        Messages of one publisher arrive in order, on any thread, at least once. An error of a listener is logged and
        stops nothing.
        """
        ...


@runtime_checkable
class BatchPubSub(PubSub, Protocol):
    """A `PubSub` that can send several messages at the cost of one. A sender of many messages uses it."""

    def publish_all(self, messages: Sequence[Message]) -> None:
        """Send messages in order: all of them, or none if it raises. Raises what `publish` does."""
        ...


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
