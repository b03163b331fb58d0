"""The fleet: everything that one pass looks at, at one moment, and how its workspaces are told apart.

- A store returns plain rows. Only the last build of a workspace tells whether it runs, is under way or has failed. That
  is decided here, so that it means the same for every store.
- A prebuild serves nobody if its last build failed, was canceled or stopped it. It is left over: it is not part of the
  snapshot, no decision counts it, and it is deleted. A prebuild that was given up while running has expired (R2).
- Every prebuild is in exactly one state: running, starting, stopping, deleting, stuck, overdue or left over. A start
  that was given up stays overdue until it ends (R14).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property

import attrs

from prebuilds.decision.fields import FLAG, instance_of, to_tuple, tuple_of
from prebuilds.decision.models import BuildStatus, Transition
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.snapshots import GlobalSnapshot
from prebuilds.runtime.models import Workspace


@attrs.frozen(kw_only=True)
class Fleet:
    """Everything that one pass looks at.

    `leftovers` are prebuilds that serve nobody. `unsubmitted` are those whose last build was not yet handed to the
    host's builder, and `pending` those whose start has not begun. `deleting` are those whose delete is under way.
    `overdue` are those whose start is late or was given up (R14). `memberships` are the organisations that the
    prebuilds user belongs to. `policy` is the one to plan with: the given one, with the budgets of the store.
    """

    snapshot: GlobalSnapshot = attrs.field(validator=instance_of(GlobalSnapshot))
    policy: Policy = attrs.field(factory=Policy, validator=instance_of(Policy))
    is_paused: bool = attrs.field(default=False, validator=FLAG)
    leftovers: tuple[Workspace, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Workspace))
    unsubmitted: tuple[Workspace, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Workspace))
    pending: tuple[Workspace, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Workspace))
    deleting: tuple[Workspace, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Workspace))
    overdue: tuple[Workspace, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Workspace))
    unready: tuple[Workspace, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Workspace))
    """Prebuilds that run, are not ready, and have a deadline for that."""
    memberships: tuple[str, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(str))

    def list_leftovers(self, preset_id: str) -> Sequence[Workspace]:
        """The leftovers of one preset, oldest first."""
        return self._leftovers.get(preset_id, ())

    def list_unsubmitted(self, preset_id: str) -> Sequence[Workspace]:
        """The unsubmitted prebuilds of one preset, oldest first."""
        return self._unsubmitted.get(preset_id, ())

    def list_pending(self, preset_id: str) -> Sequence[Workspace]:
        """The prebuilds of one preset whose start has not begun, oldest first."""
        return self._pending.get(preset_id, ())

    def list_deleting(self, preset_id: str) -> Sequence[Workspace]:
        """The prebuilds of one preset whose delete is under way, oldest first."""
        return self._deleting.get(preset_id, ())

    def list_overdue(self, preset_id: str) -> Sequence[Workspace]:
        """The prebuilds of one preset whose start is overdue, oldest first."""
        return self._overdue.get(preset_id, ())

    def list_unready(self, preset_id: str) -> Sequence[Workspace]:
        """The unready prebuilds of one preset, oldest first."""
        return self._unready.get(preset_id, ())

    @cached_property
    def _overdue(self) -> Mapping[str, Sequence[Workspace]]:
        return _group(self.overdue)

    @cached_property
    def _unready(self) -> Mapping[str, Sequence[Workspace]]:
        return _group(self.unready)

    @cached_property
    def _leftovers(self) -> Mapping[str, Sequence[Workspace]]:
        return _group(self.leftovers)

    @cached_property
    def _unsubmitted(self) -> Mapping[str, Sequence[Workspace]]:
        return _group(self.unsubmitted)

    @cached_property
    def _pending(self) -> Mapping[str, Sequence[Workspace]]:
        return _group(self.pending)

    @cached_property
    def _deleting(self) -> Mapping[str, Sequence[Workspace]]:
        return _group(self.deleting)


def is_leftover(workspace: Workspace) -> bool:
    """Whether a prebuild serves nobody: it does not run, and no build is under way."""
    return workspace.last_build.status.is_final and not workspace.has_started


def is_deleting(workspace: Workspace) -> bool:
    """Whether a delete of a prebuild is under way."""
    build = workspace.last_build
    return build.transition is Transition.DELETE and not build.status.is_final


def is_unsubmitted(workspace: Workspace) -> bool:
    """Whether the last build of a prebuild was not yet handed to the host's builder."""
    return workspace.last_build.status is BuildStatus.PENDING and not workspace.last_build.submitted


def calculate_retry_at(workspace: Workspace, policy: Policy, now: datetime) -> datetime:
    """When to delete a leftover: at once, or after a wait if its deletes have failed.

    The wait since the last failure is one backoff interval for each failed delete, as for failed starts (R8), and at
    most the look-back, so that nothing is kept for ever. A failure dated after `now` came from a wrong clock; then
    there is no wait.
    """
    ended = workspace.last_build.finished_at or workspace.last_build.created_at
    if ended > now:
        return now
    return ended + min(workspace.failed_deletes * policy.backoff_interval, policy.backoff_lookback)


def list_retries(fleet: Fleet, policy: Policy, now: datetime) -> Iterator[tuple[str, datetime]]:
    """The preset of each leftover that waits to be deleted, and until when."""
    for workspace in fleet.leftovers:
        at = calculate_retry_at(workspace, policy, now)
        if at > now:
            yield workspace.preset_id, at


def _group(rows: Iterable[Workspace]) -> Mapping[str, Sequence[Workspace]]:
    groups: defaultdict[str, list[Workspace]] = defaultdict(list)
    for row in rows:
        groups[row.preset_id].append(row)
    return groups
