"""Writing workspaces and builds, and giving prebuilds to users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from prebuilds.decision.models import BuildStatus
from prebuilds.decision.policies.failures import FailureClass
from prebuilds.runtime.models import BuildRequest, ClaimRequest, NewPrebuild, Workspace


class WorkspaceWrites(Protocol):
    """Creating and deleting prebuilds. A build is added as PENDING and not submitted."""

    def get_workspace(self, workspace_id: str) -> Workspace | None:
        """The workspace, claimed or not, deleted or not; None if there never was one with this id."""
        ...

    def insert_prebuilds(self, prebuilds: Sequence[NewPrebuild], *, now: datetime) -> Sequence[str]:
        """Add workspaces of the prebuilds user, each with its first build, as the starts ask. Returns the ids of the
        builds that were added, in order.

        Compare and set: leaves out a start unless its preset exists, is active or a candidate, and has the version that
        the start names. A transaction that would change this waits until this one has ended, or makes it fail. Also
        leaves out a start if a workspace or a build with one of its ids exists. A workspace keeps the parameters of its
        start, so that the same build can be requested again.
        """
        ...

    def withdraw_prebuilds(self, build_ids: Sequence[str]) -> None:
        """Remove prebuilds that were added and never handed to the host's builder, as if they had not been added.

        Touches a prebuild only if the build is its first, is PENDING and not submitted, and ignores all other ids.
        """
        ...

    def insert_deletes(self, requests: Sequence[BuildRequest], *, now: datetime) -> Mapping[str, str]:
        """Add a delete build to each of several prebuilds. Returns the versions that the added builds run with, by
        build id: those that `resolve_template_version` returns.

        Compare and set: leaves out a request unless its workspace exists, still belongs to the prebuilds user, is not
        deleted, and has no build that is PENDING or RUNNING. A claim of it waits until this transaction has ended, or
        takes another. Also leaves out a request if a build with its id exists.
        """
        ...

    def insert_failed_build(
        self, request: BuildRequest, *, now: datetime, begun_at: datetime | None = None, message: str = ""
    ) -> None:
        """Record that a prebuild could not be added, or missed a deadline: a start build of the preset that began at
        `begun_at`, or else at `now`, and failed at `now` with this message, without a workspace. Does nothing if a
        build with this id exists.
        """
        ...

    def cancel_pending(self, preset_id: str, *, now: datetime) -> Sequence[str]:
        """Cancel the first builds of the preset's prebuilds that have not begun, and mark their workspaces deleted.

        Touches a build only if it is the first of a prebuild, is PENDING, and its preset is neither active nor a
        candidate now. Returns the ids of the workspaces.
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

    def mark_submitted(self, build_ids: Sequence[str]) -> None:
        """Note that the host's builder has taken these builds; unknown ids are ignored."""
        ...

    def begin_build(self, build_id: str, *, now: datetime) -> bool:
        """Move a build from PENDING to RUNNING. Returns False if it is not PENDING, for example canceled."""
        ...

    def finish_build(
        self,
        build_id: str,
        status: BuildStatus,
        *,
        now: datetime,
        failure: FailureClass = FailureClass.TRANSIENT,
        message: str = "",
    ) -> Workspace | None:
        """Move a build that is PENDING or RUNNING to this final status. `failure` and `message` are kept with it.

        A delete that SUCCEEDED marks its workspace deleted; one that FAILED adds to its `failed_deletes`. A start of a
        workspace that was given up ends CANCELED, whatever the status. `now` may come from a clock behind the one that
        began the build: the build then ends when it began, as in `end_build`.
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

    def take_prebuild(self, request: ClaimRequest, /) -> Workspace | None:
        """Give the first prebuild that fits `request` its new owner and name, and return it; None if none fits.

        `is_claimable` tells which prebuilds fit: not one that was given up, nor one whose version or parameters differ
        from what its preset has now. None that is older at `claimed_at` than its own ttl fits, if its preset has a
        `ttl_jitter` (R16). Two transactions never take the same prebuild; one that another transaction has
        locked is passed over or waited for. The preset must be active, and stay active until this transaction has
        ended. The claim is recorded under its request id, if it has one. Raises `NameTakenError` if the owner has a
        workspace of this name that is not deleted, and `ClaimConflictError` if the request id is already recorded.
        """
        ...
