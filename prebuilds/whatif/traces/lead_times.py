"""Lead times: how long a prebuild takes from its creation until it is ready.

- A lead time has no random source: `draw` takes one, so the same seed gives the same durations.
- A duration is a `timedelta` and never negative.
"""

from __future__ import annotations

from datetime import timedelta
from math import exp, log
from random import Random
from statistics import NormalDist
from typing import Any, Protocol, runtime_checkable

import attrs

from prebuilds.decision.fields import DURATION, MAX_DURATION, check, to_tuple, tuple_of
from prebuilds.errors import InvalidValueError
from prebuilds.whatif.traces.number_checks import find_rank, is_number

_ZERO = timedelta()
_LARGEST_POWER = 700.0  # e to this power still fits into a float; durations are capped anyway


def _is_positive(value: Any) -> bool:
    return isinstance(value, timedelta) and _ZERO < value <= MAX_DURATION


def _are_samples(value: Any) -> bool:
    return len(value) > 0 and all(_ZERO <= sample <= MAX_DURATION for sample in value)


_POSITIVE = check(f"a timedelta over 0, up to {MAX_DURATION.days} days", _is_positive)
_SAMPLES = check(f"one timedelta or more, each from 0 to {MAX_DURATION.days} days", _are_samples)


@runtime_checkable
class LeadTime(Protocol):
    """A distribution of build durations. Functions that take one also take a `timedelta`, as a fixed lead time."""

    @property
    def mean(self) -> timedelta:
        """The expected duration."""
        ...

    def quantile(self, share: float) -> timedelta:
        """The duration that this share of builds does not exceed. `share` is above 0 and below 1."""
        ...

    def draw(self, random: Random) -> timedelta:
        """Draw the duration of one build, 0 or more, from this random source."""
        ...


@attrs.frozen(kw_only=True)
class FixedLeadTime:
    """Every build takes `duration`."""

    duration: timedelta = attrs.field(validator=DURATION)

    @property
    def mean(self) -> timedelta:
        return self.duration

    def quantile(self, share: float) -> timedelta:
        _check_share(share)
        return self.duration

    def draw(self, random: Random) -> timedelta:  # noqa: ARG002
        return self.duration


@attrs.frozen(kw_only=True)
class ExponentialLeadTime:
    """Exponential durations: a build is as likely to end in the next minute as in any later one."""

    mean: timedelta = attrs.field(validator=_POSITIVE)

    def quantile(self, share: float) -> timedelta:
        return _to_duration(-log(1 - _check_share(share)) * self.mean.total_seconds())

    def draw(self, random: Random) -> timedelta:
        return _to_duration(random.expovariate(1.0) * self.mean.total_seconds())


@attrs.frozen(kw_only=True)
class LognormalLeadTime:
    """Log-normal durations, with a long tail: half take at most `median`, and 95 % at most `p95`."""

    median: timedelta = attrs.field(validator=_POSITIVE)
    p95: timedelta = attrs.field(validator=_POSITIVE)

    def __attrs_post_init__(self) -> None:
        if self.p95 < self.median:
            raise InvalidValueError("LognormalLeadTime", "p95", self.p95, f"at least the median, {self.median}")

    @property
    def mean(self) -> timedelta:
        return _to_duration(self.median.total_seconds() * exp(min(self._sigma**2 / 2, _LARGEST_POWER)))

    def quantile(self, share: float) -> timedelta:
        return self._scale(NormalDist().inv_cdf(_check_share(share)))

    def draw(self, random: Random) -> timedelta:
        return self._scale(random.normalvariate(0.0, 1.0))

    @property
    def _sigma(self) -> float:
        return log(self.p95 / self.median) / NormalDist().inv_cdf(0.95)

    def _scale(self, deviation: float) -> timedelta:
        return _to_duration(self.median.total_seconds() * exp(min(self._sigma * deviation, _LARGEST_POWER)))


@attrs.frozen(kw_only=True)
class MeasuredLeadTime:
    """Measured durations: each build takes as long as one of `samples`, all equally likely."""

    samples: tuple[timedelta, ...] = attrs.field(converter=to_tuple, validator=[tuple_of(timedelta), _SAMPLES])

    @property
    def mean(self) -> timedelta:
        return sum(self.samples, _ZERO) / len(self.samples)

    def quantile(self, share: float) -> timedelta:
        return sorted(self.samples)[find_rank(_check_share(share), len(self.samples)) - 1]

    def draw(self, random: Random) -> timedelta:
        return self.samples[int(random.random() * len(self.samples))]


def to_lead_time(value: Any) -> Any:
    """A timedelta as a fixed lead time. Any other value is returned as it is, for a validator to check."""
    return FixedLeadTime(duration=value) if _is_duration(value) else value


def _is_duration(value: Any) -> bool:
    return isinstance(value, timedelta) and _ZERO <= value <= MAX_DURATION


def _check_share(share: float) -> float:
    if not is_number(share) or not 0 < share < 1:
        raise InvalidValueError("LeadTime", "share", share, "a number above 0 and below 1")
    return share


def _to_duration(seconds: float) -> timedelta:
    return timedelta(seconds=min(seconds, MAX_DURATION.total_seconds()))
