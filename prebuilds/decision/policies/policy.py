"""The policy: how decisions handle failures, and how much they do at once. The defaults decide as the original does."""

from __future__ import annotations

from datetime import timedelta

import attrs

from prebuilds.decision.fields import COUNT, DURATION, POSITIVE


@attrs.frozen(kw_only=True)
class Policy:
    """How the decision handles failures, and how much it does at once.

    After `num_failed` failures a preset waits `num_failed x backoff_interval`. Failures older than `backoff_lookback`
    are forgotten. After `failure_hard_limit` failed attempts in a row, a preset creates nothing until it is reset; 0
    means no limit. A pass creates at most `max_creates` prebuilds of one preset, so that a mistyped count does no harm.
    """

    backoff_interval: timedelta = attrs.field(default=timedelta(minutes=1), validator=DURATION)
    backoff_lookback: timedelta = attrs.field(default=timedelta(hours=1), validator=DURATION)
    failure_hard_limit: int = attrs.field(default=3, validator=COUNT)
    max_creates: int = attrs.field(default=1_000, validator=POSITIVE)
