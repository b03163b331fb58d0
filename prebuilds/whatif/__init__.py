"""Foresee what a pool would have done: claims, lead times, simulation and sizing, for notebooks.

history = Trace.from_csv("claims.csv")
print(sweep(history, timedelta(minutes=5)).smallest(hit_rate=0.99).size)
"""

from prebuilds.whatif.closedforms import calculate_erlang_b, calculate_poisson_miss, predict
from prebuilds.whatif.comparison import Comparison, Outcome, compare, what_would_change
from prebuilds.whatif.curves import Curve, PoolSize
from prebuilds.whatif.explanation import Lost, Miss, TargetStep
from prebuilds.whatif.generators import generate_bursts, generate_poisson, generate_profile
from prebuilds.whatif.groups import read_traces
from prebuilds.whatif.intervals import Interval
from prebuilds.whatif.lead_times import (
    ExponentialLeadTime,
    FixedLeadTime,
    LeadTime,
    LognormalLeadTime,
    MeasuredLeadTime,
)
from prebuilds.whatif.lives import Loss
from prebuilds.whatif.measures import Measures
from prebuilds.whatif.misses import OnMiss
from prebuilds.whatif.moments import Moment
from prebuilds.whatif.recommendations import HeldOut, HourForecast, Recommendation
from prebuilds.whatif.recommending import judge, recommend
from prebuilds.whatif.records import HoldReason
from prebuilds.whatif.scenarios import Invalidation, Promotion, Scenario, edit_snapshot
from prebuilds.whatif.simulation import SimulationResult, simulate
from prebuilds.whatif.sizing import sweep
from prebuilds.whatif.timeline import Timeline
from prebuilds.whatif.traces import Trace

__all__ = [
    "Comparison",
    "Curve",
    "ExponentialLeadTime",
    "FixedLeadTime",
    "HeldOut",
    "HoldReason",
    "HourForecast",
    "Interval",
    "Invalidation",
    "LeadTime",
    "LognormalLeadTime",
    "Loss",
    "Lost",
    "MeasuredLeadTime",
    "Measures",
    "Miss",
    "Moment",
    "OnMiss",
    "Outcome",
    "PoolSize",
    "Promotion",
    "Recommendation",
    "Scenario",
    "SimulationResult",
    "TargetStep",
    "Timeline",
    "Trace",
    "calculate_erlang_b",
    "calculate_poisson_miss",
    "compare",
    "edit_snapshot",
    "generate_bursts",
    "generate_poisson",
    "generate_profile",
    "judge",
    "predict",
    "read_traces",
    "recommend",
    "simulate",
    "sweep",
    "what_would_change",
]
