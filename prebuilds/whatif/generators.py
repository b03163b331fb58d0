"""Traces of one's own making: claims by chance, with a seed, for planning without history and for tests.

The same arguments give the same trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import isfinite
from random import Random
from typing import Any

from prebuilds.decision.fields import require_instant
from prebuilds.errors import InvalidValueError
from prebuilds.whatif.localtime import HOURS_PER_WEEK, LocalHours
from prebuilds.whatif.traces import TICKS_PER_HOUR, Trace, count_ticks, to_ticks


def generate_poisson(per_hour: float, *, begin: datetime, end: datetime, seed: int) -> Trace:
    """Claims that come alone and know nothing of each other, so many an hour on average."""
    rate = _require_rate("generate_poisson", "per_hour", per_hour)
    begin, end = _require_span("generate_poisson", begin, end)
    return Trace(ticks=_draw_arrivals(rate, begin, end, Random(seed)), begin=begin, end=end)  # noqa: S311


def generate_profile(
    per_hour: Sequence[float], *, begin: datetime, end: datetime, seed: int, timezone: str = "UTC"
) -> Trace:
    """Claims by chance at a rate that follows the local clock.

    `per_hour` has the average of each hour of the day from midnight, 24 numbers, or of the week from Monday, 168.
    """
    place = "generate_profile"
    rates = [_require_rate(place, f"per_hour[{index}]", rate) for index, rate in enumerate(per_hour)]
    if len(rates) not in (24, HOURS_PER_WEEK):
        raise InvalidValueError(place, "per_hour", per_hour, "24 numbers for a day, or 168 for a week")
    begin, end = _require_span(place, begin, end)
    hours, random, most = LocalHours(place, timezone), Random(seed), max(rates)  # noqa: S311
    arrivals = _draw_arrivals(most, begin, end, random)
    kept = (at for at in arrivals if random.random() * most < rates[hours.find_hour(at) % len(rates)])
    return Trace(ticks=kept, begin=begin, end=end)


def generate_bursts(
    per_hour: float, *, size: float, within: timedelta, begin: datetime, end: datetime, seed: int
) -> Trace:
    """Claims that come together: so many bursts an hour, each of `size` claims on average, spread over `within`.

    The number of claims in a burst is geometric, 1 at least. What a burst has after `end` is left out.
    """
    place = "generate_bursts"
    rate = _require_rate(place, "per_hour", per_hour)
    if not (isinstance(size, (int, float)) and isfinite(size) and size >= 1):
        raise InvalidValueError(place, "size", size, "a number of 1 or more")
    if not isinstance(within, timedelta) or within < timedelta():
        raise InvalidValueError(place, "within", within, "a timedelta of 0 or more")
    begin, end = _require_span(place, begin, end)
    random = Random(seed)  # noqa: S311
    claims = [
        at + int(random.random() * count_ticks(within))
        for at in _draw_arrivals(rate, begin, end, random)
        for _ in range(_draw_geometric(size, random))
    ]
    last = to_ticks(end)
    return Trace(ticks=sorted(at for at in claims if at <= last), begin=begin, end=end)


def _draw_arrivals(per_hour: float, begin: datetime, end: datetime, random: Random) -> Iterator[int]:
    at, last = float(to_ticks(begin)), to_ticks(end)
    while per_hour and (at := at + random.expovariate(per_hour) * TICKS_PER_HOUR) <= last:
        yield int(at)


def _draw_geometric(mean: float, random: Random) -> int:
    count = 1
    while random.random() * mean >= 1:
        count += 1
    return count


def _require_span(place: str, begin: datetime, end: datetime) -> tuple[datetime, datetime]:
    begin, end = require_instant(place, "begin", begin), require_instant(place, "end", end)
    if begin > end:
        raise InvalidValueError(place, "end", end, "at least the begin")
    return begin, end


def _require_rate(place: str, name: str, value: Any) -> float:
    if not (isinstance(value, (int, float)) and isfinite(value) and value >= 0):
        raise InvalidValueError(place, name, value, "a number of 0 or more")
    return float(value)
