"""Cases: claims parted into a past and what was held out, with a lead time, a goal and a way to miss."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import product
from pathlib import Path

import attrs

from prebuilds.whatif import OnMiss, Trace, read_traces
from prebuilds.whatif.recommendation.folds import find_holdout
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.sweeping import SizeFinder, make_demand
from prebuilds.whatif.traces.csv_files import open_csv

DAY = timedelta(days=1)
FEWEST_DAYS = 4
GOALS = (0.95, 0.99)
LEAD_TIMES = tuple(timedelta(minutes=minutes) for minutes in (2, 5, 15))


@attrs.frozen(kw_only=True)
class History:
    """The claims of one pool: the first two thirds as past, in whole weeks if there are three, and the rest."""

    name: str
    timezone: str
    past: Trace
    rest: Trace


@attrs.frozen(kw_only=True, eq=False)
class Case:
    """A history, and what is wanted of a target. `sizes` are the single sizes on what was held out, in hindsight."""

    history: History
    lead_time: timedelta
    goal: float
    on_miss: OnMiss
    past: Demand
    rest: Demand
    sizes: SizeFinder

    @property
    def name(self) -> str:
        return f"{self.history.name}, {self.lead_time // timedelta(minutes=1)} min, {self.on_miss.value}"


def read_histories(folder: Path, timezones: Mapping[str, str]) -> Iterator[History]:
    """The histories of four days and more in a folder: a CSV file for each pool, or with a column `preset_id`."""
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")]):
        stem = path.name.partition(".")[0]
        for name, trace in _read_pools(path, stem):
            days = (trace.span + timedelta(hours=1)) // DAY
            if days >= FEWEST_DAYS:
                past, rest = trace.split_at(trace.begin + find_holdout(days) * DAY)
                yield History(name=name, timezone=timezones.get(stem, "UTC"), past=past, rest=rest)


def _read_pools(path: Path, stem: str) -> list[tuple[str, Trace]]:
    """The name and the claims of each pool of a file."""
    with open_csv(path) as stream:
        has_presets = "preset_id" in next(csv.reader(stream), [])
    if not has_presets:
        return [(stem, Trace.from_csv(path))]
    return [(f"{stem}/{preset_id}", trace) for preset_id, trace in sorted(read_traces(path).items())]


def list_cases(history: History, lead_times: Iterable[timedelta], goals: Iterable[float]) -> Iterator[Case]:
    """Every lead time, way to miss and goal."""
    for lead_time, on_miss in product(lead_times, OnMiss):
        past = make_demand("foresight", history.past, lead_time, wake_delay=timedelta(), seed=0)
        rest = make_demand("foresight", history.rest, lead_time, wake_delay=timedelta(), seed=0)
        sizes = SizeFinder(rest, on_miss)
        for goal in goals:
            yield Case(
                history=history, lead_time=lead_time, goal=goal, on_miss=on_miss, past=past, rest=rest, sizes=sizes
            )
