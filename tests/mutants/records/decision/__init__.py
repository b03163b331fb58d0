"""Bugs of decisions."""

from __future__ import annotations

from mutants.records.decision.actions import ACTIONS
from mutants.records.decision.candidates import CANDIDATES
from mutants.records.decision.demand import DEMAND
from mutants.records.decision.following import FOLLOWING
from mutants.records.decision.history import HISTORY
from mutants.records.decision.judging import JUDGING
from mutants.records.decision.lifetimes import LIFETIMES
from mutants.records.decision.plans import PLANS
from mutants.records.decision.policies import POLICIES
from mutants.records.decision.windows import WINDOWS

DECISION = (*ACTIONS, *HISTORY, *WINDOWS, *POLICIES, *LIFETIMES, *PLANS, *DEMAND, *FOLLOWING, *JUDGING, *CANDIDATES)

__all__ = ["DECISION"]
