"""Outcomes: the past builds of one simulated preset, as its backoff and its hard limit need them (R13).

Both are asked of the production functions. They are given no more of the past than can matter, which is little: the
failures within the look-back, the latest builds, as many as the backoff looks at, and a build of each of the latest
attempts, as many as the hard limit looks at.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

from prebuilds.decision.history import calculate_backoffs, calculate_hard_limited
from prebuilds.decision.models import Backoff, Build, BuildStatus, Policy, Preset


class Outcomes:
    """What became of the builds of a preset, in the order of their ends."""

    def __init__(self, preset: Preset, policy: Policy, *, is_hard_limited: bool, backoff: Backoff | None) -> None:
        most = max(preset.desired_instances, *(schedule.instances for schedule in preset.schedules), 1)
        self._preset = preset
        self._policy = policy
        self._was_hard_limited = is_hard_limited
        self._latest: deque[Build] = deque(maxlen=most)
        self._failed: deque[Build] = deque()
        self._attempts: dict[datetime, Build] = {}
        """For each of the latest instants at which builds were begun: one that succeeded if any did, else a failure."""
        if backoff:
            self._recall(backoff)

    def _recall(self, backoff: Backoff) -> None:
        """Failures that make this backoff; that they are the latest builds is known of the last one alone."""
        at = backoff.last_build_at
        for number in range(backoff.num_failed):
            failure = Build(
                id=f"before {number:09}",
                preset_id=self._preset.id,
                status=BuildStatus.FAILED,
                created_at=at,
                finished_at=at,
            )
            self._failed.append(failure)
        for failure in list(self._failed)[-1:]:
            self._latest.append(failure)
            self._judge(failure)

    def add(self, build: Build) -> None:
        """A build that has just ended."""
        self._latest.append(build)
        self._judge(build)
        if build.status is BuildStatus.FAILED:
            self._failed.append(build)

    def _judge(self, build: Build) -> None:
        """Builds that were begun at one instant are one attempt, which fails when all of them do."""
        attempts = self._attempts
        if build.created_at not in attempts or build.status is BuildStatus.SUCCEEDED:
            attempts[build.created_at] = build
        if len(attempts) > max(self._policy.failure_hard_limit, 1):
            del attempts[min(attempts)]

    def find_backoff(self, now: datetime) -> Backoff | None:
        """The backoff of the preset, if it has one."""
        failed = self._failed
        while failed and self._is_forgotten(failed[0], now):
            failed.popleft()
        if not failed:
            return None
        builds = (*failed, *self._latest)
        return next(iter(calculate_backoffs(builds, (self._preset,), now=now, policy=self._policy)), None)

    def _is_forgotten(self, build: Build, now: datetime) -> bool:
        return build.finished_at is not None and now - build.finished_at > self._policy.backoff_lookback

    def is_hard_limited(self, now: datetime) -> bool:
        """Whether the preset may create nothing."""
        if self._was_hard_limited:
            return True
        latest = self._attempts.values()
        is_failing = len(latest) > 0 and all(build.status is BuildStatus.FAILED for build in latest)
        return is_failing and bool(calculate_hard_limited(latest, now=now, policy=self._policy))
