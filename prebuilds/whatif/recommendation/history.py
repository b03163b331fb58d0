"""The past of a pool: its demand, the goal, and what each size would have had, hour by hour.

Days are spans of 24 hours from the start of the history.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta
from functools import cached_property
from math import ceil

import attrs

from prebuilds.whatif.recommendation.layouts.hit_table import HitTable, make_hit_table
from prebuilds.whatif.recommendation.layouts.layout import Layout
from prebuilds.whatif.recommendation.layouts.weekly_profile import WeeklyProfile
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.sizing.pool_size import PoolSize
from prebuilds.whatif.sizing.schedule_replay import TargetSteps
from prebuilds.whatif.sizing.sweeping import SizeFinder
from prebuilds.whatif.traces.local_time import LocalHours, list_hours
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import TICKS_PER_HOUR, count_ticks

DAY = timedelta(days=1)
_ALMOST = timedelta(hours=1)
_LONGEST_LEAD = 0.95  # the quantile of lead times for which windows open early


@attrs.define(kw_only=True, eq=False)
class DemandHistory:
    """The demand of the past, and the goal for the future. It keeps what it has measured."""

    demand: Demand
    local: LocalHours
    timezone: str
    hit_rate: float
    windows: int
    on_miss: OnMiss
    _cuts: dict[tuple[int, int], Demand] = attrs.field(factory=dict, init=False)
    _profiles: dict[int, WeeklyProfile] = attrs.field(factory=dict, init=False)
    _finders: dict[tuple[int, int], SizeFinder] = attrs.field(factory=dict, init=False)

    @cached_property
    def days(self) -> int:
        """The number of days. A last day of more than 23 hours counts: traces begin only with their first claim."""
        return (self.demand.trace.span + _ALMOST) // DAY

    @cached_property
    def lead_hours(self) -> int:
        """How many whole hours early a window opens, so that what it adds is ready in time."""
        demand = self.demand
        return ceil((count_ticks(demand.lead_time.quantile(_LONGEST_LEAD)) + demand.wake_ticks) / TICKS_PER_HOUR)

    @cached_property
    def table(self) -> HitTable:
        return make_hit_table(self.demand, self.on_miss, self.local, self.days)

    def find_instant(self, day: int) -> datetime:
        """The start of a day. For the day after the last, this is the end of the trace."""
        trace = self.demand.trace
        return trace.end if day >= self.days else trace.begin + day * DAY

    def cut(self, begin: int, end: int) -> Demand:
        """The demand from the start of one day to the start of another."""
        if (begin, end) not in self._cuts:
            self._cuts[begin, end] = self._cut(begin, end)
        return self._cuts[begin, end]

    def profile_week(self, day: int) -> WeeklyProfile:
        """The profile of everything before a day."""
        if day not in self._profiles:
            self._profiles[day] = self.table.profile(0, day)
        return self._profiles[day]

    def find_sizes(self, begin: int, end: int) -> SizeFinder:
        """The single sizes from the start of one day to the start of another, measured exactly."""
        if (begin, end) not in self._finders:
            self._finders[begin, end] = SizeFinder(self.cut(begin, end), self.on_miss)
        return self._finders[begin, end]

    def find_smallest(self, day: int) -> PoolSize:
        """The smallest size that reaches the goal on everything before a day."""
        return self.find_sizes(0, day).find_smallest(self.hit_rate)

    def estimate(self, layout: Layout, begin: int, end: int) -> tuple[int, int]:
        """The claims of some days, and how many of them a layout misses, by the table."""
        targets, lead = layout.list_targets(), self.lead_hours
        # What is added is ready a lead time later, so an hour has the least of the targets up to then.
        felt = [min(targets[hour - back] for back in range(lead + 1)) for hour in range(len(targets))]
        return self.table.count([bisect_right(self.table.levels, count) - 1 for count in felt], begin, end)

    def list_steps(self, layout: Layout, demand: Demand) -> TargetSteps:
        """The targets of a layout over the span of a demand: those of its preset, found by hours."""
        targets = layout.list_targets()
        return [(at, targets[hour]) for at, hour in list_hours(self.local, demand.begin, demand.end)]

    def _cut(self, begin: int, end: int) -> Demand:
        trace = self.demand.trace
        if end < self.days:
            trace = trace.split_at(self.find_instant(end))[0]
        return attrs.evolve(self.demand, trace=trace.split_at(self.find_instant(begin))[1])
