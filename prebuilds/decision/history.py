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
- A failure for want of CAPACITY never limits. One of CONFIGURATION limits at once (R19).
- Both answers are pure functions of builds and instants. Forgetting and resetting need no state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby, takewhile
from operator import attrgetter
from typing import NamedTuple

from prebuilds.decision.fields import require_instant
from prebuilds.decision.limits import Backoff, HardLimit
from prebuilds.decision.models import Build, BuildStatus, Preset, Transition
from prebuilds.decision.policies.failures import FailureClass
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.targets import calculate_target

_DEFAULT_POLICY = Policy()
_NO_RESETS: Mapping[str, datetime] = {}
_begun_at = attrgetter("begun_at")
_rank = attrgetter("ended_at", "build_id")


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
    `desired_instances` and its current target, or the `max_instances` of its autoscale. `num_failed` counts all its
    failures within the look-back, and `last_build_at` is when the last of them ended. If it failed for want of
    CAPACITY, only such failures are counted, and otherwise only the others. `resets` maps preset ids to the
    instant of the last reset. With `is_replay`, builds that ended after `now` are ignored.
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
    """The sorted ids of the presets of `calculate_hard_limits`, which takes the same arguments."""
    now = require_instant("calculate_hard_limited", "now", now)
    since = _check_resets("calculate_hard_limited", resets)
    limits = _find_limits(builds, presets, since, now, policy, is_replay=is_replay)
    return tuple([limit.preset_id for limit in limits])


def calculate_hard_limits(
    builds: Iterable[Build],
    *,
    now: datetime,
    presets: Iterable[Preset] = (),
    policy: Policy = _DEFAULT_POLICY,
    resets: Mapping[str, datetime] = _NO_RESETS,
    is_replay: bool = False,
) -> tuple[HardLimit, ...]:
    """The presets whose last `policy.failure_hard_limit` attempts all failed, sorted by id (R13); 0 means no limit.

    One attempt is enough if a build of it failed for its CONFIGURATION; builds that failed for want of CAPACITY do not
    count (R19). Only attempts since the last success are looked at.

    Builds with the same `created_at` were begun in one pass and are one attempt. It failed if all its builds that have
    an outcome failed. `presets` says which version counts; for a preset that is not among them, every version counts.
    `resets` maps preset ids to the instant of the last reset: only builds created after it count. With `is_replay`,
    builds that ended after `now` are ignored.
    """
    now = require_instant("calculate_hard_limits", "now", now)
    since = _check_resets("calculate_hard_limits", resets)
    return _find_limits(builds, presets, since, now, policy, is_replay=is_replay)


class _Outcome(NamedTuple):
    """How a build ended; outcomes sort by when it ended, then by id."""

    ended_at: datetime
    build_id: str
    is_failure: bool
    begun_at: datetime
    failure: FailureClass
    message: str

    @property
    def lacks_capacity(self) -> bool:
        return self.is_failure and self.failure is FailureClass.CAPACITY


_Attempt = Sequence[_Outcome]
"""The outcomes of the builds that were begun in one pass."""


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
            is_failure = build.status is BuildStatus.FAILED
            why = (build.failure, build.message)
            groups[name].add(_Outcome(ended_at, build.id, is_failure, build.created_at, *why))
    return {preset_id: sorted(group, key=_rank, reverse=True) for preset_id, group in groups.items()}


def _is_outcome(build: Build) -> bool:
    return build.transition is Transition.START and build.status is not BuildStatus.CANCELED


def is_of_version(build: Build, preset: Preset | None) -> bool:
    """Whether a build ran with its preset's current version; True if either version is unknown."""
    wanted = preset.template_version.id if preset else ""
    return not wanted or build.template_version_id in ("", wanted)


def _find_backoff(preset: Preset, latest: Sequence[_Outcome], now: datetime, policy: Policy) -> Backoff | None:
    depth = max(preset.desired_instances, calculate_target(preset, now=now).desired)
    if preset.autoscale and preset.autoscale.acts:  # builds alone do not tell its target
        depth = preset.autoscale.max_instances
    failures = [
        outcome
        for outcome in latest
        if outcome.is_failure and outcome.begun_at <= now and now - outcome.ended_at <= policy.backoff_lookback
    ]
    if not failures or failures[0] not in latest[:depth]:
        return None
    last = failures[0]
    alike = [failure for failure in failures if failure.lacks_capacity is last.lacks_capacity]
    attempts = len(_list_failed_attempts(latest)) if policy.needs_attempts or last.lacks_capacity else 0
    if policy.probe_interval and not attempts:  # a success ends the backoff too, so that it fills the pool
        return None
    return Backoff(
        preset_id=preset.id,
        num_failed=len(alike),
        last_build_at=min(last.ended_at, now),
        failed_attempts=attempts,
        failure=last.failure,
        message=last.message,
    )


def _find_limits(
    builds: Iterable[Build],
    presets: Iterable[Preset],
    resets: Mapping[str, datetime],
    now: datetime,
    policy: Policy,
    *,
    is_replay: bool,
) -> tuple[HardLimit, ...]:
    limit = policy.failure_hard_limit
    if limit == 0:
        return ()
    outcomes = _group_outcomes(builds, {preset.id: preset for preset in presets}, resets, now, is_replay=is_replay)
    limits = (_find_limit(preset_id, outcomes[preset_id], limit, now) for preset_id in sorted(outcomes))
    return tuple([found for found in limits if found])


def _find_limit(preset_id: str, outcomes: Sequence[_Outcome], limit: int, now: datetime) -> HardLimit | None:
    attempts = _list_failed_attempts([outcome for outcome in outcomes if not outcome.lacks_capacity])
    reached = _find_limiting_attempt(attempts[::-1], limit)
    if reached is None:
        return None
    failures = [outcome for attempt in attempts for outcome in attempt]
    last = max(failures, key=_rank)
    return HardLimit(
        preset_id=preset_id,
        since=min(_find_end(reached), now),
        num_failed=len(failures),
        last_tried_at=min(_find_end(outcomes), now),
        failure=last.failure,
        message=last.message,
    )


def _find_limiting_attempt(attempts: Sequence[_Attempt], limit: int) -> _Attempt | None:
    """The attempt, of failed ones from the first on, with which the limit was reached."""
    for number, attempt in enumerate(attempts, 1):
        if number == limit or any(outcome.failure is FailureClass.CONFIGURATION for outcome in attempt):
            return attempt
    return None


def _list_failed_attempts(outcomes: Iterable[_Outcome]) -> Sequence[_Attempt]:
    """The attempts since the last success, the latest first; all their builds failed."""
    ranked = sorted(outcomes, key=_begun_at, reverse=True)
    attempts = (list(attempt) for _, attempt in groupby(ranked, key=_begun_at))
    return list(takewhile(lambda attempt: all(outcome.is_failure for outcome in attempt), attempts))


def _find_end(outcomes: Iterable[_Outcome]) -> datetime:
    return max(outcome.ended_at for outcome in outcomes)
