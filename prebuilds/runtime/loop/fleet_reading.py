"""How the fleet is read: a store's plain rows become a snapshot to plan with, and lists of what needs work.

- Backoffs and hard limits follow from past builds (R13), through `prebuilds.decision.history`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

import attrs

from prebuilds.decision.history import calculate_backoffs, calculate_hard_limits
from prebuilds.decision.models import Build, BuildStatus, InProgress, Pending, Prebuild, Preset
from prebuilds.decision.policies.budgets import MINUTE, RecentStarts, combine_budgets
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.presets import rank_by_age
from prebuilds.decision.snapshots import GlobalSnapshot
from prebuilds.decision.unchecked import make_prebuild
from prebuilds.runtime.deadlines import is_given_up, is_late_start, is_unready, read_history
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection
from prebuilds.runtime.loop.fleet import Fleet, is_deleting, is_leftover, is_unsubmitted
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.ports import FleetReads
from prebuilds.runtime.workspace_rules import is_pending_start

_GROWING_ATTEMPTS = 32  # after so many doublings every wait is at its cap


def read_fleet(reads: FleetReads, *, now: datetime, policy: Policy, selection: Selection = ALL_PRESETS) -> Fleet:
    """The fleet at `now`, or the part that concerns some presets. Budgets of the store join those of the policy."""
    since, limit = now - max(policy.backoff_lookback, MINUTE), count_latest(policy)
    read = partial(reads.read_rows, selection, ended_since=since, latest=limit)
    rows = read(failing_only=not policy.needs_recent_starts)
    if rows.budgets:
        given, policy = policy, attrs.evolve(policy, budgets=combine_budgets(policy.budgets, rows.budgets))
        if policy.needs_recent_starts and not given.needs_recent_starts:
            rows = read()  # with all builds that began lately, as the store's budgets count them
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
