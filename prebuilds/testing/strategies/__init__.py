"""Hypothesis strategies for the models of decisions and of the runtime.

- Values crowd around the edges where decisions turn: the ttl to the microsecond, a backoff's end, a window's hour.
- All values are valid, as from a real control plane. Schedules may be unusable, as users' are.
- They shrink to nothing at all: a snapshot without a row.
"""

from prebuilds.renames import warn_of_renames
from prebuilds.testing.strategies.decision import (
    global_snapshots,
    in_progress,
    pending,
    prebuilds,
    presets,
    template_versions,
    templates,
)
from prebuilds.testing.strategies.demand import autoscales, demands
from prebuilds.testing.strategies.policies import (
    backoffs,
    budgets,
    builds,
    expectations,
    foreground,
    hard_limits,
    policies,
    recent_starts,
)
from prebuilds.testing.strategies.runtime import (
    build_requests,
    claim_requests,
    counter_values,
    leases,
    messages,
    outbox_entries,
    workspace_builds,
    workspaces,
)
from prebuilds.testing.strategies.schedules import crons, schedule_sets, schedules
from prebuilds.testing.strategies.values import ZONES, ids, instants

__getattr__ = warn_of_renames(__name__, {"takes": "claim_requests"})

__all__ = [
    "ZONES",
    "autoscales",
    "backoffs",
    "budgets",
    "build_requests",
    "builds",
    "claim_requests",
    "counter_values",
    "crons",
    "demands",
    "expectations",
    "foreground",
    "global_snapshots",
    "hard_limits",
    "ids",
    "in_progress",
    "instants",
    "leases",
    "messages",
    "outbox_entries",
    "pending",
    "policies",
    "prebuilds",
    "presets",
    "recent_starts",
    "schedule_sets",
    "schedules",
    "template_versions",
    "templates",
    "workspace_builds",
    "workspaces",
]
