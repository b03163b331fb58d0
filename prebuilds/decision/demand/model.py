"""The model: what fitting learned from past claims, and whether it can promise the hit rate."""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Any

import attrs

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.means import SIGNALS
from prebuilds.decision.demand.spreads import BINS
from prebuilds.decision.fields import (
    AMOUNT,
    COUNT,
    FLAG,
    SHARE,
    check,
    instance_of,
    is_amount,
    member_of,
    optional,
    to_tuple,
)
from prebuilds.decision.schedules.zones import is_zone


def _numbers(count: int, least: float) -> Any:
    allowed = f"{count} numbers of at least {least:g}"
    return check(
        allowed,
        lambda value: (
            type(value) is tuple and len(value) == count and all(is_amount(one) and one >= least for one in value)
        ),
    )


_NUMBER = check("a number from -20 to 20", lambda value: type(value) in (int, float) and -20 <= value <= 20)

_AT_MOST_1 = check("a number of at most 1", lambda value: type(value) in (int, float) and -inf < value <= 1)


class Doubt(Enum):
    """Why the hit rate cannot be promised."""

    SHORT_PAST = "short past"
    """There are fewer than 25 days of claims, or too few claims to tell a hit rate this high."""
    BATCHES = "batches"
    """Claims come many at once, so that prebuilds would be deleted and built again all the time."""
    UNREACHED = "unreached"
    """Even the largest targets did not reach it on the past, for example as `max_instances` is too low."""
    STORMS = "storms"
    """The past's misses fell on a few days. What such days bring next cannot be told from so few."""


@attrs.frozen(kw_only=True)
class DemandModel:
    """What `fit_demand` learned. It goes with the state at the end of its past."""

    autoscale: Autoscale = attrs.field(validator=instance_of(Autoscale))
    timezone: str = attrs.field(validator=check("a known time zone", is_zone))
    weights: tuple[float, ...] = attrs.field(converter=to_tuple, validator=_numbers(SIGNALS, 0))
    """What each signal adds to the mean."""
    spreads: tuple[float, ...] = attrs.field(converter=to_tuple, validator=_numbers(BINS, 1), repr=False)
    """Variance over mean, for bins of the mean."""
    caution: float = attrs.field(validator=_NUMBER)
    """The price at which the past would have reached the hit rate, as a negated power of ten."""
    hold: float = attrs.field(validator=AMOUNT)
    """For how many seconds a higher target is held."""
    single: int = attrs.field(validator=COUNT)
    """The smallest constant size with which the past would have reached the hit rate."""
    own_count: int = attrs.field(validator=COUNT)
    """The preset's own count, which stands while the past is short."""
    share: float = attrs.field(validator=SHARE)
    """How much of the target follows demand; the rest is the preset's own count."""
    follows_demand: bool = attrs.field(validator=FLAG)
    """False if the single size did better on the past."""
    doubt: Doubt | None = attrs.field(validator=optional(member_of(Doubt)))
    """Why the hit rate cannot be promised; None if it can."""
    days: float = attrs.field(validator=AMOUNT)
    """The length of the past."""
    past_hit_rate: float = attrs.field(validator=SHARE)
    """The share of hits that the model would have had on the past."""
    saved: float = attrs.field(validator=_AT_MOST_1)
    """The share of the single size's idle hours that it would have saved."""

    @property
    def is_reached(self) -> bool:
        """Whether the hit rate can be promised. It is steered by hits and misses only then."""
        return self.doubt is None

    @property
    def is_moving(self) -> bool:
        """Whether the target differs with time and claims."""
        return self.follows_demand and self.share > 0

    @property
    def lead(self) -> float:
        """The lead time in seconds."""
        return self.autoscale.lead_time.total_seconds()

    def explain(self) -> str:
        """In words: what is promised, and what the past says."""
        goal = f"{self.autoscale.hit_rate:.4g}"
        promise = (
            f"A hit rate of {goal} is promised" if self.doubt is None else f"No promise of {goal} ({self.doubt.value})"
        )
        clamp = self.autoscale.clamp
        if not self.share:
            return f"{promise}. The target is {clamp(self.own_count)} at all times: there are too few claims."
        if not self.follows_demand:
            return f"{promise}. The target is {clamp(self.single)} at all times: that did better on the past."
        past = f"on {self.days:.0f} days of claims it had {self.past_hit_rate:.2%} of hits"
        return f"{promise}: {past} and {_compare(self.saved)} than {self.single} at all times."


def _compare(saved: float) -> str:
    return f"{abs(saved):.0%} {'fewer' if saved >= 0 else 'more'} idle hours"
