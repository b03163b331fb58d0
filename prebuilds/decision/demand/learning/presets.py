"""Learning for one preset: what its autoscale needs to know of its past claims."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from prebuilds.decision.demand.learning.fitting import fit_demand
from prebuilds.decision.demand.rows import Demand
from prebuilds.decision.models import Preset
from prebuilds.decision.schedules.zones import is_zone
from prebuilds.errors import InvalidValueError


def learn_demand(
    preset: Preset, claims: Iterable[datetime], *, begin: datetime, end: datetime, waits: bool = False
) -> Demand:
    """The row of a snapshot that lets the preset follow the claims between two instants.

    The hours are those of the preset's time zone, or of UTC. The other arguments are as for `fit_demand`. Raises
    `InvalidValueError` for a preset without an autoscale, and for a claim that is not between `begin` and `end`.
    """
    if preset.autoscale is None:
        raise InvalidValueError("learn_demand", "preset.autoscale", None, "an Autoscale")
    fit = fit_demand(
        claims,
        autoscale=preset.autoscale,
        begin=begin,
        end=end,
        timezone=preset.timezone if is_zone(preset.timezone) else "UTC",
        own_count=preset.desired_instances,
        waits=waits,
    )
    return Demand(preset_id=preset.id, fit=fit)
