"""Waiting after failures: how long a preset backs off, and when a hard-limited one tries again (R8, R19).

- The wait is a pure function of the backoff's row and the policy. The same row always waits equally long.
- A failure for want of capacity holds creates alone. Any other holds all that the preset does.
- A hard-limited preset that is probed does not back off: the probe interval is its wait.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from prebuilds.decision.fields import UTC
from prebuilds.decision.limits import Backoff
from prebuilds.decision.policies.failures import BackoffKind, FailureClass
from prebuilds.decision.policies.hashing import calculate_share
from prebuilds.decision.policies.policy import Policy
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.state import count_starting

_LATEST = datetime.max.replace(tzinfo=UTC)
_MOST_DOUBLINGS = 40  # a microsecond, doubled so often, is longer than any look-back


def calculate_backoff_until(snapshot: PresetSnapshot, policy: Policy) -> datetime | None:
    """The last instant of the current wait after a failure; None if there is none, or if it is over."""
    backoff = snapshot.backoff
    if backoff is None or backoff.num_failed == 0 or (can_probe(snapshot, policy) and not lacks_capacity(snapshot)):
        return None
    try:
        until = backoff.last_build_at + calculate_wait(backoff, policy)
    except OverflowError:
        until = _LATEST
    return until if snapshot.now <= until else None


def lacks_capacity(snapshot: PresetSnapshot) -> bool:
    """Whether the last start failed for want of capacity, so that only creates wait."""
    return snapshot.backoff is not None and snapshot.backoff.failure is FailureClass.CAPACITY


def calculate_wait(backoff: Backoff, policy: Policy) -> timedelta:
    """How long to wait after the last failed build."""
    wait, cap = _grow(backoff, policy), policy.backoff_cap
    if cap is None and _grows_by_attempts(backoff, policy):
        cap = policy.backoff_lookback
    wait = wait if cap is None else min(wait, cap)
    if not policy.backoff_jitter:
        return wait
    return wait * (1 - policy.backoff_jitter * calculate_share(backoff.preset_id, f"{backoff.last_build_at}"))


def _grows_by_attempts(backoff: Backoff, policy: Policy) -> bool:
    return policy.backoff is BackoffKind.EXPONENTIAL or backoff.failure is FailureClass.CAPACITY


def _grow(backoff: Backoff, policy: Policy) -> timedelta:
    """The wait before it is capped. Where the attempts are unknown, each failed build counts as one."""
    failures = backoff.num_failed
    if _grows_by_attempts(backoff, policy):
        failures = backoff.failed_attempts or failures
    if policy.backoff is BackoffKind.EXPONENTIAL:
        failures = 2 ** min(failures - 1, _MOST_DOUBLINGS)
    try:
        return failures * policy.backoff_interval
    except OverflowError:
        return timedelta.max


def calculate_batch(snapshot: PresetSnapshot, policy: Policy) -> int | None:
    """How many starts a preset may begin after failed attempts: 1, 2, 4 and so on, less those under way (R18).

    None if nothing bounds it: there is no slow start, or the last attempt succeeded.
    """
    if not policy.slow_start or snapshot.backoff is None or not snapshot.backoff.failed_attempts:
        return None
    batch: int = 2 ** min(snapshot.backoff.failed_attempts - 1, _MOST_DOUBLINGS)
    return max(batch - count_starting(snapshot), 0)


def can_probe(snapshot: PresetSnapshot, policy: Policy) -> bool:
    """Whether the preset is hard-limited and tries again from time to time, as it is known when it last tried."""
    return policy.probe_interval is not None and snapshot.limit is not None


def calculate_probe_at(snapshot: PresetSnapshot, policy: Policy) -> datetime | None:
    """From when on a hard-limited preset may try one create; None if it may not, or not before a start has ended."""
    if snapshot.limit is None or policy.probe_interval is None:
        return None
    if count_starting(snapshot):
        return None
    return min(snapshot.limit.last_tried_at, _LATEST - policy.probe_interval) + policy.probe_interval


def is_probe_due(snapshot: PresetSnapshot, policy: Policy) -> bool:
    """Whether a hard-limited preset may try one create now."""
    at = calculate_probe_at(snapshot, policy)
    return at is not None and at <= snapshot.now
