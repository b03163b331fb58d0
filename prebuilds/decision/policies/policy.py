"""The policy: how decisions handle failures, and how much they do at once. The defaults decide as the original does."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

import attrs

from prebuilds.decision.fields import (
    COUNT,
    DURATION,
    FLAG,
    POSITIVE,
    POSITIVE_DURATION,
    SHARE,
    check,
    member_of,
    optional,
    to_tuple,
    tuple_of,
)
from prebuilds.decision.policies.budgets import Budget
from prebuilds.decision.policies.failures import BackoffKind

_DISTINCT_BUDGETS = check(
    "budgets of which no two have the same scope and key",
    lambda value: len({budget.name for budget in value}) == len(value),
)


class Victims(Enum):
    """Which of the good prebuilds beyond the target go first (R15)."""

    OLDEST_FIRST = "oldest_first"
    """The oldest, then by id, ready or not. This is the original's order."""
    WORST_FIRST = "worst_first"
    """Those that are not ready, then the aging (R16), then the oldest, then by id. Stuck ones go before all of them."""


@attrs.frozen(kw_only=True)
class Policy:
    """How the decision handles failures, and how much it does at once.

    After `num_failed` failures a preset waits `num_failed x backoff_interval`. Failures older than `backoff_lookback`
    are forgotten. With an EXPONENTIAL `backoff` it waits one interval after the first failed attempt, and twice as long
    after each further one. No wait is longer than `backoff_cap`; if that is None, no exponential wait and no wait for
    capacity is longer than the look-back. `backoff_jitter` is the share by which waits are shortened at most, by a
    hash, so that presets do not try all at once.

    After `failure_hard_limit` failed attempts in a row, a preset creates nothing until it is reset; 0
    means no limit. With a `probe_interval`, a limited preset tries one create at a time, each so long after the last,
    and a success ends the limit (R19).

    A pass creates at most `max_creates` prebuilds of one preset, so that a mistyped count does no harm. With
    `slow_start`, a preset whose last attempts failed creates 1, then 2, then 4 at a time, until one succeeds. `budgets`
    bound what presets create together (R18); no two of them have the same scope and key. With `cancel_surplus`, starts
    that have not begun are canceled once the target needs them no more. `victims` says which prebuilds beyond the
    target go first (R15).
    """

    backoff_interval: timedelta = attrs.field(default=timedelta(minutes=1), validator=DURATION)
    backoff_lookback: timedelta = attrs.field(default=timedelta(hours=1), validator=DURATION)
    backoff: BackoffKind = attrs.field(default=BackoffKind.LINEAR, validator=member_of(BackoffKind))
    backoff_cap: timedelta | None = attrs.field(default=None, validator=optional(POSITIVE_DURATION))
    backoff_jitter: float = attrs.field(default=0.0, validator=SHARE)
    failure_hard_limit: int = attrs.field(default=3, validator=COUNT)
    probe_interval: timedelta | None = attrs.field(default=None, validator=optional(POSITIVE_DURATION))
    max_creates: int = attrs.field(default=1_000, validator=POSITIVE)
    slow_start: bool = attrs.field(default=False, validator=FLAG)
    cancel_surplus: bool = attrs.field(default=False, validator=FLAG)
    budgets: tuple[Budget, ...] = attrs.field(
        default=(), converter=to_tuple, validator=[tuple_of(Budget), _DISTINCT_BUDGETS]
    )
    victims: Victims = attrs.field(default=Victims.OLDEST_FIRST, validator=member_of(Victims))

    @property
    def needs_attempts(self) -> bool:
        """Whether a decision depends on how many attempts in a row have failed."""
        return self.backoff is BackoffKind.EXPONENTIAL or self.probe_interval is not None or self.slow_start

    @property
    def is_plain_backoff(self) -> bool:
        """Whether each failed build adds one interval to the wait, and nothing else changes it (R8)."""
        return self.backoff is BackoffKind.LINEAR and self.backoff_cap is None and not self.backoff_jitter

    @property
    def needs_recent_starts(self) -> bool:
        """Whether a decision depends on the starts that were begun in the last minute."""
        return any(budget.max_creates_per_minute is not None for budget in self.budgets)


HARDENED = Policy(
    backoff=BackoffKind.EXPONENTIAL,
    backoff_cap=timedelta(minutes=15),
    probe_interval=timedelta(minutes=10),
    slow_start=True,
    cancel_surplus=True,
    victims=Victims.WORST_FIRST,
)
"""A policy for production, with everything on that is safe for every pool. The rest is a setting of each preset."""
