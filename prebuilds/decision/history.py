"""History: which presets back off and which are hard-limited, given their past builds (R13).

- Only outcomes count: start builds that succeeded or failed. A build that is pending, running or canceled says nothing
  about the next one.
- Only builds of the preset's current version count, and only builds begun after its last reset.
- Clocks differ. An outcome dated after `now` has been seen, so it counts as if it ended at `now`. A replay of the past
  hides it instead, as it had not happened yet.
- A build begun after `now` comes from a clock that has been set back since. A backoff ignores it, or it would last for
  as long as that clock was ahead.
- A backoff ranks builds by when they ended: a slow build that fails counts from its failure. A hard limit ranks
  attempts by when they began, which is always by one clock, the loop's own.
- Both answers are pure functions of builds and instants. Forgetting and resetting need no state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from prebuilds.decision.fields import require_instant
from prebuilds.decision.models import Backoff, Build, BuildStatus, Preset, Transition
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.targets import calculate_target

_DEFAULT_POLICY = Policy()
_NO_RESETS: Mapping[str, datetime] = {}
_begun_at = attrgetter("begun_at")


def calculate_backoffs(
    builds: Iterable[Build],
    presets: Iterable[Preset],
    *,
    now: datetime,
    policy: Policy = _DEFAULT_POLICY,
    resets: Mapping[str, datetime] = _NO_RESETS,
    is_replay: bool = False,
) -> tuple[Backoff, ...]:
    """The backoffs of these presets at `now`, in the order of the presets (R13).

    A preset backs off when one of its last N builds failed within `policy.backoff_lookback`. N is the larger of its
    `desired_instances` and its current target. `num_failed` counts all its failures within the look-back, and
    `last_build_at` is when the last of them ended. `resets` maps preset ids to the instant of the last reset. With
    `is_replay`, builds that ended after `now` are ignored.
    """
    now = require_instant("calculate_backoffs", "now", now)
    chosen = tuple(presets)
    since = _check_resets("calculate_backoffs", resets)
    outcomes = _group_outcomes(builds, {preset.id: preset for preset in chosen}, since, now, is_replay=is_replay)
    backoffs = (_find_backoff(preset, outcomes.get(preset.id, ()), now, policy) for preset in chosen)
    return tuple([backoff for backoff in backoffs if backoff])


def calculate_hard_limited(
    builds: Iterable[Build],
    *,
    now: datetime,
    presets: Iterable[Preset] = (),
    policy: Policy = _DEFAULT_POLICY,
    resets: Mapping[str, datetime] = _NO_RESETS,
    is_replay: bool = False,
) -> tuple[str, ...]:
    """The sorted ids of the presets whose last `policy.failure_hard_limit` attempts all failed (R13); 0 means no limit.

    Builds with the same `created_at` were begun in one pass and are one attempt. It failed if all its builds that have
    an outcome failed. `presets` says which version counts; for a preset that is not among them, every version counts.
    `resets` maps preset ids to the instant of the last reset: only builds created after it count. With `is_replay`,
    builds that ended after `now` are ignored.
    """
    now = require_instant("calculate_hard_limited", "now", now)
    since = _check_resets("calculate_hard_limited", resets)
    limit = policy.failure_hard_limit
    if limit == 0:
        return ()
    outcomes = _group_outcomes(builds, {preset.id: preset for preset in presets}, since, now, is_replay=is_replay)
    return tuple(sorted(preset_id for preset_id, found in outcomes.items() if _is_all_failed(found, limit)))


class _Outcome(NamedTuple):
    """How a build ended; outcomes sort by when it ended, then by id."""

    ended_at: datetime
    build_id: str
    is_failure: bool
    begun_at: datetime


def _check_resets(place: str, resets: Mapping[str, datetime]) -> Mapping[str, datetime]:
    return {name: require_instant(place, f"resets[{name!r}]", reset_at) for name, reset_at in resets.items()}


def _group_outcomes(
    builds: Iterable[Build],
    presets: Mapping[str, Preset],
    resets: Mapping[str, datetime],
    now: datetime,
    *,
    is_replay: bool,
) -> Mapping[str, Sequence[_Outcome]]:
    """The outcomes that count, by preset, the latest first. A build that is given twice counts once."""
    groups: defaultdict[str, set[_Outcome]] = defaultdict(set)
    for build in builds:
        ended_at = build.finished_at
        if ended_at is None or not _is_outcome(build) or (is_replay and ended_at > now):
            continue
        name = build.preset_id
        if is_of_version(build, presets.get(name)) and (name not in resets or build.created_at > resets[name]):
            groups[name].add(_Outcome(ended_at, build.id, build.status is BuildStatus.FAILED, build.created_at))
    return {preset_id: sorted(group, reverse=True) for preset_id, group in groups.items()}


def _is_outcome(build: Build) -> bool:
    return build.transition is Transition.START and build.status is not BuildStatus.CANCELED


def is_of_version(build: Build, preset: Preset | None) -> bool:
    """Whether a build ran with its preset's current version; True if either version is unknown."""
    wanted = preset.template_version.id if preset else ""
    return not wanted or build.template_version_id in ("", wanted)


def _find_backoff(preset: Preset, latest: Sequence[_Outcome], now: datetime, policy: Policy) -> Backoff | None:
    depth = max(preset.desired_instances, calculate_target(preset, now=now).desired)
    failures = [
        outcome
        for outcome in latest
        if outcome.is_failure and outcome.begun_at <= now and now - outcome.ended_at <= policy.backoff_lookback
    ]
    if not failures or failures[0] not in latest[:depth]:
        return None
    last_build_at = min(failures[0].ended_at, now)
    return Backoff(preset_id=preset.id, num_failed=len(failures), last_build_at=last_build_at)


def _is_all_failed(outcomes: Sequence[_Outcome], limit: int) -> bool:
    latest = list(_judge_attempts(outcomes))[:limit]
    return len(latest) == limit and all(latest)


def _judge_attempts(outcomes: Sequence[_Outcome]) -> Iterator[bool]:
    """Whether each attempt failed, the latest attempt first."""
    for _, attempt in groupby(sorted(outcomes, key=_begun_at, reverse=True), key=_begun_at):
        yield all(outcome.is_failure for outcome in attempt)
