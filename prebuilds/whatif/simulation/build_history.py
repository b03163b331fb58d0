"""The build history of one simulated preset: the past builds that decide its backoff and its hard limit (R13).

The production functions calculate both. Only builds that can matter are kept: failures within the look-back, the latest
builds that the backoff looks at, and one build for each of the latest attempts that the hard limit looks at.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from datetime import datetime
from operator import attrgetter

import attrs

from prebuilds.decision.history import calculate_backoffs, calculate_hard_limits
from prebuilds.decision.limits import Backoff, HardLimit
from prebuilds.decision.models import Build, BuildStatus, Preset
from prebuilds.decision.policies.policy import Policy

_rank = attrgetter("finished_at", "id")


class BuildHistory:
    """The finished builds of a preset."""

    def __init__(
        self,
        preset: Preset,
        policy: Policy,
        *,
        is_hard_limited: bool,
        backoff: Backoff | None,
        limit: HardLimit | None = None,
    ) -> None:
        most = max(preset.desired_instances, *(schedule.instances for schedule in preset.schedules), 1)
        self._preset = preset
        self._policy = policy
        self._was_hard_limited = is_hard_limited
        self._limit = limit
        self._depth = most
        self._latest: list[Build] = []
        """The latest builds that the backoff looks at, in the order in which they ended."""
        self._failed: deque[Build] = deque()
        self._attempts: dict[datetime, Build] = {}
        """One build for each of the latest instants at which builds began: a success if there was one."""
        if backoff:
            self._recall(backoff)

    def _recall(self, backoff: Backoff) -> None:
        """Make up the failures behind this backoff. Only the last of them is known to be among the latest builds."""
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
            self._note_latest(failure)
            self._note_attempt(failure)

    def add(self, build: Build) -> None:
        """Add a build that has just ended, or of which it is known only now how it ended.

        A probe that succeeds ends a limit that was there from the beginning.
        """
        self._note_latest(build)
        self._note_attempt(build)
        if build.status is BuildStatus.FAILED:
            self._failed.append(build)
            self._limit = self._limit and attrs.evolve(self._limit, last_tried_at=build.finished_at)
        elif self._limit:
            self._limit, self._was_hard_limited = None, False

    def _note_latest(self, build: Build) -> None:
        insort(self._latest, build, key=_rank)
        if len(self._latest) > self._depth:
            del self._latest[0]

    def _note_attempt(self, build: Build) -> None:
        """Builds that began at the same instant are one attempt. It fails if all of them fail."""
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
        """Whether the preset may create nothing, or only a probe."""
        return self._was_hard_limited or self.find_limit(now) is not None

    def find_limit(self, now: datetime) -> HardLimit | None:
        """The hard limit of the preset, if its builds tell of one."""
        latest = self._attempts.values()
        if not all(build.status is BuildStatus.FAILED for build in latest):
            return None
        found = calculate_hard_limits(latest, now=now, policy=self._policy)
        return found[0] if found else self._limit
