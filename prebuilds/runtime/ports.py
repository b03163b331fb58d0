"""What the runtime asks of its host, as small protocols, one for each role.

- A host implements them over tables of its own. `prebuilds.adapters` has three complete implementations, and
  `prebuilds.testing` checks any other.
- Whatever is read or written belongs to a transaction. A `Store` begins them; a `Transaction` has every role.
- Every wait is bounded. `TimeoutError` from any method means that nothing was written and that it may be tried again;
  all other errors end the transaction with nothing written.
- A method that is asked to do what has been done already does nothing and says so by what it returns.
- All methods are called from several threads, each with a transaction of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol, runtime_checkable

from prebuilds.decision.models import Build, BuildStatus, PrebuildStatus, Preset
from prebuilds.runtime.models import BuildRequest, Counter, CounterValue, Lease, Message, OutboxEntry, Take, Workspace


class Isolation(Enum):
    """What a transaction may see of others that are under way. A store may give more than it is asked for."""

    READ_COMMITTED = "read_committed"
    """Each statement sees what has been committed before it."""
    REPEATABLE_READ = "repeatable_read"
    """All statements see one moment."""


class FleetReads(Protocol):
    """What a plan is made of. With a `preset_id` only the rows of that preset are read, and none if it is unknown."""

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        """Every preset that may want or still have prebuilds, inactive ones included, in an order that stays the same.

        As a rule a preset belongs to one template version for good, and promoting another version makes the presets of
        the old one inactive, at once and together. One that changes its version or its parameters under its id has no
        use for the prebuilds that it has: they are outdated (R2).
        """
        ...

    def list_prebuilds(self, preset_id: str | None = None) -> Sequence[Workspace]:
        """Every workspace of the prebuilds user that is not deleted, wherever its last build stands. In any order."""
        ...

    def list_builds(self, *, ended_since: datetime, latest: int, preset_id: str | None = None) -> Sequence[Build]:
        """The builds that backoffs and hard limits follow from (R13), in any order; more do no harm.

        They are start builds of prebuilds that succeeded or failed, begun after the preset's last reset, and run with
        the version that the preset has now where both are known. Of these, a preset's are all that ended at
        `ended_since` or later, and in any case all of its `latest` attempts that began last: builds with one
        `created_at` were begun in one pass, and are one attempt. The builds of workspaces that have been claimed or
        deleted since belong to it. `make_outcome` makes a `Build` of a build that has ended.
        """
        ...

    def list_resets(self, preset_id: str | None = None) -> Sequence[tuple[str, datetime]]:
        """When each preset was last reset, as (preset id, instant); presets that never were are left out."""
        ...

    def list_memberships(self) -> Sequence[str]:
        """The ids of the organisations that the prebuilds user is a member of."""
        ...

    def is_paused(self) -> bool:
        """Whether reconciliation is paused."""
        ...


class WorkspaceWrites(Protocol):
    """Creating and deleting prebuilds. Each of these adds a build that is PENDING and has not been submitted."""

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        """The workspace, whoever owns it, deleted or not; None if there never was one with this id."""
        ...

    def insert_prebuild(self, request: BuildRequest, *, name: str, now: datetime) -> bool:
        """Add a workspace of the prebuilds user and its first build, as the start `request` asks.

        Compare and set: False, and nothing is added, unless the preset is there, active, and of the version that the
        request names. Whoever would change that waits until this transaction has ended, or makes it fail. False too if
        a workspace or a build of these ids is there already. The workspace keeps the parameters of the request, so that
        the same can be asked for again.
        """
        ...

    def insert_delete(self, request: BuildRequest, *, now: datetime) -> bool:
        """Add a delete build to a prebuild.

        Compare and set: False, and nothing is added, unless the workspace is there, still the prebuilds user's, not
        deleted, and without a build that is PENDING or RUNNING. Whoever would claim it waits until this transaction
        has ended, or gets another. The build runs with the version that `resolve_template_version` gives.
        """
        ...

    def insert_failed_build(self, request: BuildRequest, *, now: datetime) -> None:
        """Note that a prebuild could not even be added: a start build of the preset that failed at `now`, with no
        workspace. Nothing if a build of this id is there already.
        """
        ...

    def cancel_pending(self, preset_id: str, *, now: datetime) -> Sequence[str]:
        """Cancel the first builds of the preset's prebuilds that have not begun, and mark their workspaces deleted.

        Touches only builds that are the first of a prebuild, PENDING, and of a preset that is inactive now. Returns the
        ids of the workspaces.
        """
        ...

    def retire_prebuild(self, workspace_id: str) -> Workspace | None:
        """Give a prebuild up: from now on no user gets it, and it waits to be deleted.

        Returns it as it is then; None, and nothing is done, unless it is a prebuild that is neither deleted nor given
        up already. Nobody takes a prebuild that is being given up: one waits for the other.
        """
        ...

    def release_workspace(self, workspace_id: str, *, name: str) -> Workspace | None:
        """Take a workspace back from the user who claimed it: the prebuilds user has it, under this name, and it is
        given up. Its old name is free again.

        Returns it as it is then; None, and nothing is done, unless it is claimed and not deleted.
        """
        ...

    def forget_workspace(self, workspace_id: str) -> Workspace | None:
        """Mark a claimed workspace deleted, without a build, as the host has deleted it. Its name is free again.

        Returns it as it is then; None, and nothing is done, unless it is claimed and not deleted.
        """
        ...


class BuildWrites(Protocol):
    """How far builds have come. A build moves from PENDING by RUNNING to a final status, and never back."""

    def mark_submitted(self, build_id: str) -> None:
        """Note that the host's builder has taken the build."""
        ...

    def begin_build(self, build_id: str, *, now: datetime) -> bool:
        """Move a build from PENDING to RUNNING; False if it is not PENDING, as one that was canceled is not."""
        ...

    def finish_build(self, build_id: str, status: BuildStatus, *, now: datetime) -> Workspace | None:
        """Move a build that is PENDING or RUNNING to this final status.

        A delete that SUCCEEDED marks its workspace deleted; one that FAILED adds to its `failed_deletes`. `now` is the
        time of a clock that may be behind the one that began the build: it then ends when it began, as `end_build` has
        it. Returns the workspace as it is then; None, and nothing is done, if the build is not there or has ended
        already.
        """
        ...

    def mark_ready(self, workspace_id: str) -> Workspace | None:
        """Note that a user could work in a running workspace. Returns it as it is then; None, and nothing is done, if
        the workspace is not running or is ready already.
        """
        ...

    def mark_unready(self, workspace_id: str) -> Workspace | None:
        """Note that no user could work in a prebuild any more. Returns it as it is then; None, and nothing is done,
        unless it is a prebuild, not deleted, and was ready.
        """
        ...


class ClaimWrites(Protocol):
    """Giving a prebuild to a user."""

    def find_claim(self, request_id: str) -> tuple[Take, Workspace] | None:
        """The claim that was made with this request id, and the workspace it got; None if none was."""
        ...

    def take_prebuild(self, take: Take) -> Workspace | None:
        """Give the first prebuild that `take` describes its new owner and name; None if there is none.

        `is_claimable` tells which those are: one that was given up, and one that was made with another version or other
        parameters than its preset has now, is none of them. Two transactions never take the same one, and one that is
        locked by another is passed over or waited for. The preset must be active, and stay so until this transaction
        has ended. The claim is noted under its request id, if it has one. Raises `NameTakenError` if the owner has a
        workspace of this name that is not deleted, and `ClaimConflictError` if the request id is noted already.
        """
        ...


class SettingsWrites(Protocol):
    """What people set, and what the reconciler notes for them. Presets that are not there are left alone."""

    def set_paused(self, *, paused: bool) -> None:
        """Pause or resume reconciliation."""
        ...

    def set_prebuild_status(self, preset_id: str, status: PrebuildStatus) -> None:
        """Note how a preset's prebuilds fare."""
        ...

    def set_reset(self, preset_id: str, *, at: datetime) -> None:
        """Note that a preset's failures up to here count no more towards its hard limit."""
        ...

    def set_invalidated(self, preset_id: str, *, at: datetime) -> None:
        """Note that all prebuilds created before this instant have expired."""
        ...

    def add_membership(self, organization_id: str) -> None:
        """Make the prebuilds user a member of an organisation, if it is none yet."""
        ...

    def put_preset(self, preset: Preset) -> None:
        """Add a preset, or replace the one with its id. Hosts that keep presets by other means need it for tests."""
        ...


class CounterWrites(Protocol):
    """What metrics count, in the same transaction as what is counted."""

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

        A holder that has it already keeps its token. Whoever else takes it gets a token larger than all before.
        """
        ...

    def find_lease(self, name: str) -> Lease | None:
        """The lease as it was last taken, even if it has expired. None if it was never taken or has been released."""
        ...

    def release_lease(self, lease: Lease) -> None:
        """Let others take the lease now; nothing if it has been taken since. Its token stays used."""
        ...


class OutboxWrites(Protocol):
    """Messages that are sent if, and only if, the transaction is committed."""

    def publish_on_commit(self, message: Message) -> None:
        """Send the message once the outermost transaction has been committed, after those handed over before it.

        Dropped if the transaction, or the `nested` one it was handed to, is rolled back.
        """
        ...

    def list_messages(self, limit: int) -> Sequence[OutboxEntry]:
        """The first messages that wait in the outbox. Empty where committed messages are kept elsewhere."""
        ...

    def delete_messages(self, ids: Sequence[int]) -> None:
        """Remove messages that have been sent. Ids that are not there are left alone."""
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
    """Everything that can be read and written together. It lives as long as the `with` block that it came from."""

    def nested(self) -> AbstractContextManager[None]:
        """A part that can be rolled back alone: by an error that leaves it. Committed with the whole."""
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

        In one that is `read_only`, whatever would write raises `ReadOnlyTransactionError`.

        With a `lease`, raises `LeaseLostError` unless its token is still the last one given out, and keeps it so until
        the transaction has ended: whoever would take the lease waits. Raises `PoolExhaustedError` if no connection
        becomes free in time and `NestedTransactionError` inside another transaction of this store.

        A connection that is lost while it is being committed leaves the end open: `CommitUnknownError` is raised.
        """
        ...


class PubSub(Protocol):
    """Carries messages to whoever listens, within a process or between several."""

    def publish(self, message: Message) -> None:
        """Send a message. Raises `PublishInTransactionError` inside a transaction of whatever store."""
        ...

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        """Call the listener with every message that is published on the topic from now on. Returns what ends it.

        Messages of one publisher come in their order, on any thread, at least once. What a listener raises is logged
        and stops nobody.
        """
        ...


@runtime_checkable
class BatchPubSub(PubSub, Protocol):
    """A `PubSub` that can send several messages at the price of one. Whoever has many looks for it."""

    def publish_all(self, messages: Sequence[Message]) -> None:
        """Send messages in their order: all of them, or none if it raises. Raises what `publish` does."""
        ...


class WorkspaceBuilder(Protocol):
    """Makes and removes workspaces. The host has one; it reports what becomes of a build through `BuildReports`."""

    def submit(self, request: BuildRequest, template_version_id: str, *, timeout: timedelta) -> None:
        """Take a build over, to be done in the background; called outside of any transaction.

        A build of an id that was taken before is not done twice. What is raised means that it was not taken: the build
        has failed. `NoRoomError` means that a start was not taken as there is no room for it now: it is canceled, which
        is no failure, and the preset waits for room. `TimeoutError` alone means that nobody knows: it is submitted
        again later.

        A call that lasts longer than `timeout` is given up on. The build is not submitted again before that call has
        ended, and what it ends with, however late, counts as its answer.
        """
        ...


class Clock(Protocol):
    """The time, and waiting."""

    def now(self) -> datetime:
        """The instant, aware."""
        ...

    def monotonic(self) -> float:
        """Seconds from some moment on, which never go back."""
        ...

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        """Wait until the event is set, for `timeout` at most. Returns whether it is."""
        ...
