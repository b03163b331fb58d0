"""History: which presets back off and which are hard-limited, from their past builds (R13).

- Only what has an outcome counts: start builds that succeeded or failed. One that is pending, running or was canceled
  says nothing about whether the next would work.
- What ended after `now` has not happened yet, so that a replay does not look into the future.
- Builds are ranked by when they ended, then by id. A slow build that fails counts from its failure, not from its start.
- Both answers are pure functions of builds and instants, so that forgetting and resetting need no state of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from prebuilds.decision.fields import require_instant
from prebuilds.decision.models import Backoff, Build, BuildStatus, Policy, Preset, Transition
from prebuilds.decision.targets import calculate_target

_DEFAULT_POLICY = Policy()
_NO_RESETS: Mapping[str, datetime] = {}


def calculate_backoffs(
    builds: Iterable[Build], presets: Iterable[Preset], *, now: datetime, policy: Policy = _DEFAULT_POLICY
) -> tuple[Backoff, ...]:
    """The backoffs of these presets at `now`, in their order (R13).

    A preset backs off when one of its last N builds failed within `policy.backoff_lookback`, N being the larger of its
    `desired_instances` and its current target. `num_failed` counts all its failures within the look-back, and
    `last_build_at` is when the last of them ended.
    """
    now = require_instant("calculate_backoffs", "now", now)
    outcomes = _group_outcomes(builds, now)
    backoffs = (_find_backoff(preset, outcomes.get(preset.id, ()), now, policy) for preset in presets)
    return tuple([backoff for backoff in backoffs if backoff])


def calculate_hard_limited(
    builds: Iterable[Build],
    *,
    now: datetime,
    policy: Policy = _DEFAULT_POLICY,
    resets: Mapping[str, datetime] = _NO_RESETS,
) -> tuple[str, ...]:
    """The ids, sorted, of the presets whose last `policy.failure_hard_limit` builds all failed (R13); 0 limits none.

    `resets` has the instant of a preset's last reset, by preset id: only builds created after it count.
    """
    now = require_instant("calculate_hard_limited", "now", now)
    since = {
        preset_id: require_instant("calculate_hard_limited", f"resets[{preset_id!r}]", reset_at)
        for preset_id, reset_at in resets.items()
    }
    limit = policy.failure_hard_limit
    if limit == 0:
        return ()
    counted = (build for build in builds if build.preset_id not in since or build.created_at > since[build.preset_id])
    outcomes = _group_outcomes(counted, now)
    return tuple(sorted(preset_id for preset_id, latest in outcomes.items() if _is_all_failed(latest, limit)))


class _Outcome(NamedTuple):
    """How a build ended; outcomes sort by when, then by id."""

    ended_at: datetime
    build_id: str
    is_failure: bool


def _group_outcomes(builds: Iterable[Build], now: datetime) -> Mapping[str, Sequence[_Outcome]]:
    """The outcomes of start builds up to `now`, by preset, the latest first; a build given twice counts once."""
    groups: defaultdict[str, set[_Outcome]] = defaultdict(set)
    for build in builds:
        if build.transition is not Transition.START or build.status is BuildStatus.CANCELED:
            continue
        if build.finished_at and build.finished_at <= now:
            groups[build.preset_id].add(_Outcome(build.finished_at, build.id, build.status is BuildStatus.FAILED))
    return {preset_id: sorted(group, reverse=True) for preset_id, group in groups.items()}


def _find_backoff(preset: Preset, latest: Sequence[_Outcome], now: datetime, policy: Policy) -> Backoff | None:
    depth = max(preset.desired_instances, calculate_target(preset, now).desired)
    failures = [
        outcome for outcome in latest if outcome.is_failure and now - outcome.ended_at <= policy.backoff_lookback
    ]
    if not failures or failures[0] not in latest[:depth]:
        return None
    return Backoff(preset_id=preset.id, num_failed=len(failures), last_build_at=failures[0].ended_at)


def _is_all_failed(latest: Sequence[_Outcome], limit: int) -> bool:
    return len(latest) >= limit and all(outcome.is_failure for outcome in latest[:limit])
