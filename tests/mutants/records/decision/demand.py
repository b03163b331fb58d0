"""Bugs of a target that follows demand."""

from __future__ import annotations

from mutants.records.mutant import Mutant

DEMAND = (
    Mutant(
        "the season counts hours of UTC",
        "decision/demand/seasons.py",
        "datetime.fromtimestamp(hour, load_zone(timezone))",
        'datetime.fromtimestamp(hour, load_zone("UTC"))',
        tests=("decision/test_demand_parts.py",),
    ),
    Mutant(
        "a level ignores what the season expected",
        "decision/demand/rates.py",
        "return (c1 + _LEAN) / (e1 + _LEAN), (c2 + _LEAN) / (e2 + _LEAN)",
        "return (c1 + _LEAN), (c2 + _LEAN)",
        tests=("decision/test_demand_parts.py",),
    ),
    Mutant(
        "the price is steered though nothing is promised",
        "decision/demand/following.py",
        "    if model.doubt is not None:\n        return state\n",
        "",
        tests=("decision/test_demand_laws.py",),
    ),
    Mutant(
        "the hold is ignored",
        "decision/demand/following.py",
        "return state, low, held[0][1]",
        "return state, low, low",
        tests=("decision/test_demand_laws.py",),
    ),
    Mutant(
        "an offset fades only when somebody claims",
        "decision/demand/following.py",
        "state.steering.fade(now)",
        "state.steering.offset",
        tests=("decision/test_demand_laws.py",),
    ),
    Mutant(
        "a prebuild's worth forgets when it idles",
        "decision/demand/counts.py",
        "last = min(last, served / fewer if fewer > 0 else inf)",
        "last = min(last, served)",
        tests=("decision/test_demand_parts.py",),
    ),
    Mutant(
        "batches are followed",
        "decision/demand/learning/fitting.py",
        "doubt is not Doubt.BATCHES and saved",
        "saved",
        tests=("decision/test_demand_fitting.py",),
    ),
    Mutant(
        "weights of signals that are nothing",
        "decision/demand/means.py",
        "if total > _FLOOR]",
        "if total > 0]",
        tests=("decision/test_demand_parts.py",),
    ),
)
