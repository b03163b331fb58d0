"""The fleet: everything that one pass looks at, read at one moment and classified here.

- A store returns plain rows. Only the last build of a workspace tells whether it runs, is under way or has failed. That
  is decided here, so that it means the same for every store.
- A prebuild serves nobody if its last build failed, was canceled or stopped it. It is left over: it is not part of the
  snapshot, no decision counts it, and it is deleted. A prebuild that was given up while running has expired (R2).
- Every prebuild is in exactly one state: running, starting, stopping, deleting, stuck, overdue or left over. A start
  that was given up stays overdue until it ends (R14).
- Backoffs and hard limits follow from past builds (R13), through `prebuilds.decision.history`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property

import attrs

from prebuilds.decision.fields import FLAG, instance_of, to_tuple, tuple_of
from prebuilds.decision.history import calculate_backoffs, calculate_hard_limits
from prebuilds.decision.models import Build, BuildStatus, InProgress, Pending, Prebuild, Preset, Transition
from prebuilds.decision.policies.budgets import MINUTE, RecentStarts, combine_budgets
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.presets import rank_by_age
from prebuilds.decision.snapshots import GlobalSnapshot
from prebuilds.decision.unchecked import make_prebuild
from prebuilds.runtime.deadlines import is_given_up, is_late_start, is_unready, read_history
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.ports import FleetReads
from prebuilds.runtime.workspace_rules import is_pending_start

_GROWING_ATTEMPTS = 32  # after so many doublings every wait is at its cap


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


def read_fleet(reads: FleetReads, *, now: datetime, policy: Policy, selection: Selection = ALL_PRESETS) -> Fleet:
    """The fleet at `now`, or the part that concerns some presets. Budgets of the store join those of the policy."""
    since, limit = now - max(policy.backoff_lookback, MINUTE), count_latest(policy)
    rows = reads.read_rows(selection, ended_since=since, latest=limit)
    if rows.budgets:
        policy = attrs.evolve(policy, budgets=combine_budgets(policy.budgets, rows.budgets))
    presets = {preset.id: preset for preset in rows.presets}
    unready = sorted([row for row in rows.prebuilds if is_unready(row, presets)], key=rank_by_age)
    # Most prebuilds have started, and are nothing else.
    others = sorted([row for row in rows.prebuilds if not row.has_started], key=rank_by_age)
    builds = read_history(reads, rows.builds, unready, ended_since=since, limit=limit)
    return Fleet(
        snapshot=_make_snapshot(rows, others, builds, now=now, policy=policy),
        policy=policy,
        is_paused=rows.is_paused,
        leftovers=filter(is_leftover, others),
        unsubmitted=filter(is_unsubmitted, others),
        pending=filter(is_pending_start, others),
        deleting=filter(is_deleting, others),
        overdue=[row for row in others if is_late_start(row, presets, now)],
        unready=unready,
        memberships=rows.memberships,
    )


def _make_snapshot(
    rows: FleetRows, others: Sequence[Workspace], builds: Sequence[Build], *, now: datetime, policy: Policy
) -> GlobalSnapshot:
    """The snapshot; `others` are the prebuilds that have not started, or whose start is not their last build."""
    presets, resets, failed = rows.presets, dict(rows.resets), _select_failing(builds)
    names = {build.preset_id for build in failed}
    failing = [preset for preset in presets if preset.id in names]
    found = calculate_hard_limits(failed, now=now, presets=failing, policy=policy, resets=resets)
    known = {preset.id for preset in failing}
    limits = [limit for limit in found if limit.preset_id in known]  # history may outlive its preset
    return GlobalSnapshot(
        presets=presets,
        running=[_make_prebuild(workspace) for workspace in rows.prebuilds if workspace.has_started],
        in_progress=_count_in_progress(others, presets),
        pending=_count_pending(others),
        backoffs=calculate_backoffs(failed, failing, now=now, policy=policy, resets=resets),
        hard_limited=[limit.preset_id for limit in limits],
        limits=limits,
        recent_starts=_list_recent_starts(rows.prebuilds, builds, now) if policy.needs_recent_starts else (),
    )


def _list_recent_starts(
    prebuilds: Iterable[Workspace], builds: Iterable[Build], now: datetime
) -> Sequence[RecentStarts]:
    """The starts begun in the last minute, whatever became of them; those canceled since give their place back."""
    first = [(row.last_build.id, row.preset_id, row.created_at) for row in prebuilds if row.last_build.number == 1]
    ended = [(build.id, build.preset_id, build.created_at) for build in builds]
    recent = Counter((name, at) for _, name, at in {*first, *ended} if at > now - MINUTE)
    return [RecentStarts(preset_id=name, begun_at=at, count=count) for (name, at), count in recent.items()]


def _select_failing(builds: Sequence[Build]) -> Sequence[Build]:
    """The builds of presets of which any failed. The others, nearly all, have neither backoffs nor limits."""
    failing = {build.preset_id for build in builds if build.status is BuildStatus.FAILED}
    return [build for build in builds if build.preset_id in failing]


def count_latest(policy: Policy) -> int:
    """How many of the latest attempts decide: those of the hard limit, and those that growing waits look at."""
    return max(policy.failure_hard_limit, _GROWING_ATTEMPTS if policy.needs_attempts else 0)


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


def _make_prebuild(workspace: Workspace) -> Prebuild:
    build = workspace.last_build
    return make_prebuild(
        workspace.id,
        workspace.name,
        workspace.preset_id,
        workspace.template_id,
        build.template_version_id,
        workspace.parameters,
        workspace.created_at,
        workspace.ready,
        workspace.retired,
        build.finished_at,
    )


def _count_in_progress(prebuilds: Iterable[Workspace], presets: Iterable[Preset]) -> Sequence[InProgress]:
    """Count builds under way. Those of presets with a deadline are counted apart by when they began."""
    dated = {preset.id for preset in presets if preset.build_deadline is not None}
    counts = Counter(
        (
            workspace.preset_id,
            workspace.last_build.transition,
            workspace.last_build.created_at if workspace.preset_id in dated else None,
            is_given_up(workspace),
        )
        for workspace in prebuilds
        if not workspace.last_build.status.is_final
    )
    return [
        InProgress(preset_id=name, transition=kind, count=count, began_at=began_at, overdue=count if is_over else 0)
        for (name, kind, began_at, is_over), count in counts.items()
    ]


def _count_pending(prebuilds: Iterable[Workspace]) -> Sequence[Pending]:
    """Count first starts only. Behind any other start is a workspace, which a cancel would leave."""
    counts = Counter(workspace.preset_id for workspace in prebuilds if is_pending_start(workspace))
    return [Pending(preset_id=name, count=count) for name, count in counts.items()]
