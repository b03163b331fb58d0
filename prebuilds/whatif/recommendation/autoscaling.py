"""Autoscale as an option: a target that follows demand (R21), fitted to a past and replayed on what came after it."""

from __future__ import annotations

from datetime import timedelta

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.following import DemandFit
from prebuilds.decision.demand.learning.fitting import fit_instants
from prebuilds.errors import InvalidValueError
from prebuilds.whatif.recommendation.folds import follow_days
from prebuilds.whatif.recommendation.history import DemandHistory
from prebuilds.whatif.recommendation.holdout import HoldoutReport, make_report
from prebuilds.whatif.sizing.demand import Demand
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.ticks import TICKS_PER_SECOND

_LEAST_LEAD, _MOST_LEAD = timedelta(seconds=1), timedelta(days=1)
_CAP = 2  # times the single size: more than a burst of the past needed, and what a burst to come may cost
_LEAST_CAP = 10


def require_followable(history: DemandHistory) -> None:
    """Raise `InvalidValueError` if a target cannot follow demand with these lead times or this hit rate."""
    lead_time = _find_lead_time(history.demand)
    if not _LEAST_LEAD <= lead_time <= _MOST_LEAD:
        allowed = "a mean from 1 second to 1 day together with the wake_delay, for autoscale"
        raise InvalidValueError("recommend", "lead_time", lead_time, allowed)
    if history.hit_rate == 1:
        raise InvalidValueError("recommend", "hit_rate", history.hit_rate, "a number below 1, for autoscale")


def fit_autoscale(history: DemandHistory, day: int) -> DemandFit:
    """Fit a target to everything before a day. It keeps at most twice the single size."""
    demand = history.cut(0, day)
    most = max(_LEAST_CAP, _CAP * history.find_smallest(day).size)
    return fit_instants(
        [at / TICKS_PER_SECOND for at in demand.claims],
        Autoscale(hit_rate=history.hit_rate, lead_time=_find_lead_time(demand), max_instances=most),
        demand.begin / TICKS_PER_SECOND,
        demand.end / TICKS_PER_SECOND,
        timezone=history.timezone,
        own_count=None,
        waits=history.on_miss is OnMiss.WAIT,
    )


def _find_lead_time(demand: Demand) -> timedelta:
    """How long a replacement takes on average, from the claim on."""
    return demand.lead_time.mean + timedelta(microseconds=demand.wake_ticks)


def hold_out_autoscale(history: DemandHistory, cut: int) -> HoldoutReport:
    """What a target that was fitted before the cut has after it."""
    demand = history.cut(cut, history.days)
    days = follow_days(demand, fit_autoscale(history, cut).follow(), history.on_miss)
    return make_report(demand, days, history.hit_rate, history.find_sizes(cut, history.days))
