"""Foresee what a pool would have done: claims, lead times, simulation and sizing, for notebooks.

history = Trace.from_csv("claims.csv")
print(sweep(history, timedelta(minutes=5)).smallest(hit_rate=0.99).size)
"""

from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.following import DemandFit, DemandFollower
from prebuilds.decision.demand.learning.fitting import fit_demand
from prebuilds.decision.demand.learning.presets import learn_demand
from prebuilds.decision.demand.looking import DemandTarget, look_at_target
from prebuilds.decision.demand.model import DemandModel, Doubt
from prebuilds.decision.demand.state import DemandState
from prebuilds.decision.demand.storing import dump_fit, load_fit
from prebuilds.renames import warn_of_renames
from prebuilds.whatif.comparison import Comparison, ScenarioOutcome, compare, what_would_change
from prebuilds.whatif.recommendation.holdout import HoldoutReport
from prebuilds.whatif.recommendation.options import OptionKind, SizingOption
from prebuilds.whatif.recommendation.recommending import judge, recommend
from prebuilds.whatif.recommendation.report import HourForecast, Recommendation
from prebuilds.whatif.simulation.event_log import EventLog, HoldReason
from prebuilds.whatif.simulation.lifetimes import LossReason
from prebuilds.whatif.simulation.measures import Measures
from prebuilds.whatif.simulation.misses.facts import Lost, Miss, TargetStep
from prebuilds.whatif.simulation.result import SimulationResult
from prebuilds.whatif.simulation.scenario import Invalidation, Promotion, Scenario, SnapshotEdit, edit_snapshot
from prebuilds.whatif.simulation.simulating import ClaimTraces, simulate
from prebuilds.whatif.simulation.timelines.counts_over_time import Moment
from prebuilds.whatif.simulation.timelines.timeline import Timeline
from prebuilds.whatif.sizing.closed_forms import calculate_erlang_b, calculate_poisson_miss, predict
from prebuilds.whatif.sizing.curve import Curve
from prebuilds.whatif.sizing.pool_size import PoolSize
from prebuilds.whatif.sizing.sweeping import sweep
from prebuilds.whatif.supply import check_supply
from prebuilds.whatif.targets.baselines import BufferTarget, LastWeekTarget, RecentClaimsTarget, SpareTarget
from prebuilds.whatif.targets.target_function import TargetFunction
from prebuilds.whatif.targets.target_replay import TargetReplay, replay_target
from prebuilds.whatif.targets.watermarks import WatermarkTarget
from prebuilds.whatif.traces.csv_files import TraceSource
from prebuilds.whatif.traces.generators import generate_bursts, generate_poisson, generate_profile
from prebuilds.whatif.traces.lead_times import (
    ExponentialLeadTime,
    FixedLeadTime,
    LeadTime,
    LognormalLeadTime,
    MeasuredLeadTime,
)
from prebuilds.whatif.traces.on_miss import OnMiss
from prebuilds.whatif.traces.preset_traces import read_traces
from prebuilds.whatif.traces.trace import Trace
from prebuilds.whatif.views.intervals import Interval

__getattr__ = warn_of_renames(
    __name__, {"HeldOut": "HoldoutReport", "Loss": "LossReason", "Outcome": "ScenarioOutcome"}
)

__all__ = [
    "Autoscale",
    "BufferTarget",
    "ClaimTraces",
    "Comparison",
    "Curve",
    "DemandFit",
    "DemandFollower",
    "DemandModel",
    "DemandState",
    "DemandTarget",
    "Doubt",
    "EventLog",
    "ExponentialLeadTime",
    "FixedLeadTime",
    "HoldReason",
    "HoldoutReport",
    "HourForecast",
    "Interval",
    "Invalidation",
    "LastWeekTarget",
    "LeadTime",
    "LognormalLeadTime",
    "LossReason",
    "Lost",
    "MeasuredLeadTime",
    "Measures",
    "Miss",
    "Moment",
    "OnMiss",
    "OptionKind",
    "PoolSize",
    "Promotion",
    "RecentClaimsTarget",
    "Recommendation",
    "Scenario",
    "ScenarioOutcome",
    "SimulationResult",
    "SizingOption",
    "SnapshotEdit",
    "SpareTarget",
    "TargetFunction",
    "TargetReplay",
    "TargetStep",
    "Timeline",
    "Trace",
    "TraceSource",
    "WatermarkTarget",
    "calculate_erlang_b",
    "calculate_poisson_miss",
    "check_supply",
    "compare",
    "dump_fit",
    "edit_snapshot",
    "fit_demand",
    "generate_bursts",
    "generate_poisson",
    "generate_profile",
    "judge",
    "learn_demand",
    "load_fit",
    "look_at_target",
    "predict",
    "read_traces",
    "recommend",
    "replay_target",
    "simulate",
    "sweep",
    "what_would_change",
]
