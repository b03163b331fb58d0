"""Random traces, made from a seed: for tests, and for planning without history.

The same arguments give the same trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

from prebuilds.decision.fields import require_instant
from prebuilds.errors import InvalidValueError
from prebuilds.whatif.traces.argument_checks import require_rate, require_seed, require_ticks
from prebuilds.whatif.traces.local_time import HOURS_PER_WEEK, LocalHours
from prebuilds.whatif.traces.number_checks import is_number
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR, to_ticks
from prebuilds.whatif.traces.trace import Trace

_LARGEST_BURST = 1_000_000


def generate_poisson(per_hour: float, *, begin: datetime, end: datetime, seed: int) -> Trace:
    """A Poisson process: independent claims, `per_hour` on average."""
    rate = require_rate("generate_poisson", "per_hour", per_hour)
    begin, end = _require_span("generate_poisson", begin, end)
    random = _make_random("generate_poisson", seed)
    return Trace(ticks=_draw_arrivals(rate, begin, end, random), begin=begin, end=end)


def generate_profile(
    per_hour: Sequence[float], *, begin: datetime, end: datetime, seed: int, timezone: str = "UTC"
) -> Trace:
    """A Poisson process whose rate follows the local clock.

    `per_hour` has the average of each hour: 24 numbers for a day from midnight, or 168 for a week from Monday.
    """
    place = "generate_profile"
    given = per_hour if isinstance(per_hour, Iterable) else ()
    rates = [require_rate(place, f"per_hour[{index}]", rate) for index, rate in enumerate(given)]
    if len(rates) not in (24, HOURS_PER_WEEK):
        raise InvalidValueError(place, "per_hour", per_hour, "24 numbers for a day, or 168 for a week")
    begin, end = _require_span(place, begin, end)
    hours, random, most = LocalHours(place, timezone), _make_random(place, seed), max(rates)
    arrivals = _draw_arrivals(most, begin, end, random)
    kept = (at for at in arrivals if random.random() * most < rates[hours.find_hour(at) % len(rates)])
    return Trace(ticks=kept, begin=begin, end=end)


def generate_bursts(
    per_hour: float, *, size: float, within: timedelta, begin: datetime, end: datetime, seed: int
) -> Trace:
    """Claims in bursts: `per_hour` bursts on average, each of `size` claims on average, spread over `within`.

    The number of claims in a burst is geometric and at least 1. Claims after `end` are left out.
    """
    place = "generate_bursts"
    rate = require_rate(place, "per_hour", per_hour)
    if not is_number(size) or not 1 <= size <= _LARGEST_BURST:
        raise InvalidValueError(place, "size", size, f"a number from 1 to {_LARGEST_BURST:,}")
    spread = require_ticks(place, "within", within)
    begin, end = _require_span(place, begin, end)
    random = _make_random(place, seed)
    claims = [
        at + int(random.random() * spread)
        for at in _draw_arrivals(rate, begin, end, random)
        for _ in range(_draw_geometric(size, random))
    ]
    last = to_ticks(end)
    return Trace(ticks=sorted(at for at in claims if at <= last), begin=begin, end=end)


def _make_random(place: str, seed: int) -> Random:
    return Random(require_seed(place, seed))  # noqa: S311


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
        raise InvalidValueError(place, "end", end, "at least the start")
    return begin, end
