"""Foresee what a pool would have done: claims, lead times, simulation and sizing, for notebooks.

history = Trace.from_csv("claims.csv")
print(sweep(history, timedelta(minutes=5)).smallest(hit_rate=0.99).size)
"""

from prebuilds.whatif.curves import Curve, PoolSize
from prebuilds.whatif.generators import generate_bursts, generate_poisson, generate_profile
from prebuilds.whatif.lead_times import (
    ExponentialLeadTime,
    FixedLeadTime,
    LeadTime,
    LognormalLeadTime,
    MeasuredLeadTime,
)
from prebuilds.whatif.misses import OnMiss
from prebuilds.whatif.sizing import sweep
from prebuilds.whatif.traces import Trace

__all__ = [
    "Curve",
    "ExponentialLeadTime",
    "FixedLeadTime",
    "LeadTime",
    "LognormalLeadTime",
    "MeasuredLeadTime",
    "OnMiss",
    "PoolSize",
    "Trace",
    "generate_bursts",
    "generate_poisson",
    "generate_profile",
    "sweep",
]
