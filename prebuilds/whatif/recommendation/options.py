"""Options: the ways to keep prebuilds that a recommendation compares, and the choice among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import attrs

from prebuilds.decision.demand.following import DemandFit
from prebuilds.decision.fields import COUNT, FLAG, TEXT, instance_of, member_of, optional, to_tuple, tuple_of
from prebuilds.decision.models import Preset
from prebuilds.decision.schedules.schedule import Schedule
from prebuilds.whatif.recommendation.holdout import RATE, HoldoutReport

NOTICED = 0.003  # a difference of hit rates that is held against an option
_NEGLIGIBLE = 0.005  # a share of idle hours that is not


class OptionKind(Enum):
    """What an option needs of a control plane."""

    SINGLE_SIZE = "single size"
    """One count at all times."""
    SCHEDULES = "schedules"
    """A base count, and windows of the week with counts of their own."""
    AUTOSCALE = "autoscale"
    """A target that follows demand (R21)."""


@attrs.frozen(kw_only=True)
class SizingOption:
    """One way to keep prebuilds, with a report of how it did on days that were held out."""

    kind: OptionKind = attrs.field(validator=member_of(OptionKind))
    desired_instances: int = attrs.field(validator=COUNT)
    schedules: tuple[Schedule, ...] = attrs.field(default=(), converter=to_tuple, validator=tuple_of(Schedule))
    timezone: str = attrs.field(validator=TEXT)
    planned_hit_rate: float = attrs.field(validator=RATE)
    """The hit rate that it was planned to have on the whole past."""
    is_reached: bool = attrs.field(validator=FLAG)
    """Whether to expect the hit rate that was asked for: backtests reached it, and held-out days within 0.3 points."""
    held_out: HoldoutReport = attrs.field(validator=instance_of(HoldoutReport))
    fit: DemandFit | None = attrs.field(default=None, validator=optional(instance_of(DemandFit)), repr=False)
    """For autoscale, the model and the state at the end of the past: `fit.follow()` is a fresh target function."""

    def apply_to(self, preset: Preset) -> Preset:
        """The preset with this base count, these schedules and this time zone.

        The count of autoscale is that of the single size, which stands where nothing follows demand.
        """
        return attrs.evolve(
            preset, desired_instances=self.desired_instances, schedules=self.schedules, timezone=self.timezone
        )

    def to_dicts(self) -> list[dict[str, Any]]:
        """A row for each window, and one for all other times; of autoscale, for where nothing follows demand."""
        rows = [{"window": schedule.cron, "instances": schedule.instances} for schedule in self.schedules]
        rest = "at all other times" if rows else "at all times"
        if self.kind is OptionKind.AUTOSCALE:
            rest = "where nothing follows demand"
        return [*rows, {"window": rest, "instances": self.desired_instances}]


def choose_option(options: Sequence[SizingOption]) -> SizingOption:
    """The option that saved most at equal hits, of those that were not worse than the single size, the first option."""
    single = options[0]
    candidates = [option for option in options if option is single or find_fault(option, single) is None]
    return max(candidates, key=lambda option: option.held_out.saved_at_equal_hits)


def find_fault(option: SizingOption, single: SizingOption) -> str | None:
    """In what an option was worse than the single size on the days that were held out; None if in nothing."""
    held, other = option.held_out, single.held_out
    if not held.claims:
        return "had no claims to be compared on"
    if held.hit_rate < min(held.goal, other.hit_rate) - NOTICED:
        return f"had only {held.hit_rate:.2%} of hits, and the single size {other.hit_rate:.2%}"
    if held.saved_at_equal_hits < _NEGLIGIBLE:
        return "did not idle less than single sizes with as many hits"
    return None


def explain_choice(options: Sequence[SizingOption], chosen: SizingOption) -> Iterator[str]:
    """Which option to take and why."""
    single = options[0]
    if chosen is single:
        faults = [f"{option.kind.value} {find_fault(option, single)}" for option in options[1:]]
        yield "Take the single size." + (f" On the days held out, {'; '.join(faults)}." if faults else "")
    else:
        saved, other = chosen.held_out.saved_at_equal_hits, single.held_out
        yield (
            f"Take {chosen.kind.value}: {saved:.0%} fewer idle hours on the days held out than single sizes with as "
            f"many hits. The single size, {single.desired_instances}, had {other.hit_rate:.2%} and "
            f"{other.idle_hours:,.1f} idle hours there."
        )
    if not chosen.is_reached:
        yield f"Do not count on {chosen.held_out.goal:.4g}: backtests or the days held out did not reach it."
    if chosen.fit is not None:
        yield chosen.fit.model.explain()
