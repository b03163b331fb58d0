"""A layout: a base count and a few weekly windows of whole hours, each with a count of its own.

A window may run past midnight. Windows never overlap.
"""

from __future__ import annotations

import attrs

from prebuilds.decision.models import Preset
from prebuilds.decision.schedules.schedule import Schedule


@attrs.frozen(kw_only=True)
class HourWindow:
    """`level` prebuilds from the hour `first` on, for `length` hours, on these days of the week (Monday is 0)."""

    days: tuple[int, ...]
    first: int
    length: int
    level: int

    def to_schedule(self) -> Schedule:
        """The schedule of this window."""
        hours = {(self.first + offset) % 24 for offset in range(self.length)}
        days = {(day + 1) % 7 for day in self.days}
        return Schedule(
            cron=f"* {_write_field(hours, range(24))} * * {_write_field(days, range(7))}", instances=self.level
        )


def _write_field(values: set[int], full: range) -> str:
    """A cron field: `*`, or the values as ranges."""
    if len(values) == len(full):
        return "*"
    firsts = sorted(value for value in values if value - 1 not in values)
    lasts = sorted(value for value in values if value + 1 not in values)
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in zip(firsts, lasts, strict=True))


@attrs.frozen(kw_only=True)
class Layout:
    """A base count, and windows that replace it in their hours."""

    base: int
    windows: tuple[HourWindow, ...] = ()

    def scale(self, margin: float) -> Layout:
        """The same hours with higher counts. A count `n` grows by the share `margin` of `n + 1`."""
        windows = tuple(attrs.evolve(window, level=_scale_level(window.level, margin)) for window in self.windows)
        return Layout(base=_scale_level(self.base, margin), windows=windows)

    def to_preset(self, timezone: str) -> Preset:
        """A preset with these counts and schedules, to replay."""
        schedules = [window.to_schedule() for window in self.windows]
        return Preset(id="recommended", desired_instances=self.base, timezone=timezone, schedules=schedules)


def _scale_level(level: int, margin: float) -> int:
    return int((level + 1) * (1 + margin) - 0.5)
