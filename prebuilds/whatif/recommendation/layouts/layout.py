"""A layout: a base count and a few weekly windows of whole hours, each with a count of its own.

A window may run past midnight. Windows never overlap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import product

import attrs

from prebuilds.decision.models import Preset
from prebuilds.decision.schedules.schedule import Schedule
from prebuilds.whatif.traces.local_time import HOURS_PER_WEEK


@attrs.frozen(kw_only=True)
class HourWindow:
    """`level` prebuilds from the hour `first` on, for `length` hours, on these days of the week (Monday is 0).

    The hours past midnight are hours of the same days, as they are in a cron expression.
    """

    days: tuple[int, ...]
    first: int
    length: int
    level: int


@attrs.frozen(kw_only=True)
class Layout:
    """A base count, and windows that replace it in their hours."""

    base: int
    windows: tuple[HourWindow, ...] = ()

    def list_targets(self) -> list[int]:
        """The count for each hour of the week."""
        targets = [self.base] * HOURS_PER_WEEK
        for window in self.windows:
            for day, offset in product(window.days, range(window.length)):
                targets[24 * day + (window.first + offset) % 24] = window.level
        return targets

    def to_preset(self, timezone: str) -> Preset:
        """A preset with these counts, to replay: of all bases, with the one that needs fewest schedules."""
        targets = self.list_targets()
        plans = [(base, _list_schedules(targets, base)) for base in sorted(set(targets))]
        base, schedules = min(plans, key=lambda plan: len(plan[1]))
        return Preset(id="recommended", desired_instances=base, timezone=timezone, schedules=schedules)


def _list_schedules(targets: Sequence[int], base: int) -> list[Schedule]:
    """The schedules for all hours that do not have the base. Days with the same hours share one."""
    days_of: dict[tuple[int, tuple[int, ...]], list[int]] = defaultdict(list)
    for day in range(7):
        counts = targets[24 * day : 24 * day + 24]
        for level in sorted({*counts} - {base}):
            days_of[level, tuple(hour for hour in range(24) if counts[hour] == level)].append(day)
    return [_make_schedule(days, hours, level) for (level, hours), days in days_of.items()]


def _make_schedule(days: Collection[int], hours: Collection[int], level: int) -> Schedule:
    cron_days = {(day + 1) % 7 for day in days}
    return Schedule(cron=f"* {_write_field(hours, range(24))} * * {_write_field(cron_days, range(7))}", instances=level)


def _write_field(values: Collection[int], full: range) -> str:
    """A cron field: `*`, or the values as ranges."""
    if len(values) == len(full):
        return "*"
    firsts = sorted(value for value in values if value - 1 not in values)
    lasts = sorted(value for value in values if value + 1 not in values)
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in zip(firsts, lasts, strict=True))
