"""Keep a warm pool of prebuilt workspaces: decide what to create and what to delete, and say why.

snapshot = load_snapshot("fleet.json")
print(plan(snapshot, now=datetime.now(timezone.utc)).explain())
"""

import prebuilds.import_interrupts as _import_interrupts  # noqa: F401 - first, as the other imports take a while
from prebuilds.decision.actions import ActionType, ReconciliationActions, calculate_actions, can_skip_reconciliation
from prebuilds.decision.codec import dump_plan, dump_snapshot, load_document, load_snapshot
from prebuilds.decision.demand.autoscale import Autoscale
from prebuilds.decision.demand.rows import Demand
from prebuilds.decision.history import calculate_backoffs, calculate_hard_limited, calculate_hard_limits
from prebuilds.decision.judging.checking import check_settings
from prebuilds.decision.judging.findings import Finding, FindingKind, Severity
from prebuilds.decision.limits import Backoff, HardLimit
from prebuilds.decision.models import (
    Build,
    BuildStatus,
    InProgress,
    Pending,
    Prebuild,
    PrebuildStatus,
    Preset,
    Template,
    TemplateVersion,
    Transition,
)
from prebuilds.decision.next_change import Change, ChangeCause
from prebuilds.decision.plans.decisions import Decision, Withheld
from prebuilds.decision.plans.diffing import DecisionChange, PlanDiff, diff
from prebuilds.decision.plans.planning import Plan, plan
from prebuilds.decision.plans.withholding import WithheldReason
from prebuilds.decision.policies.budgets import Budget, BudgetScope, Foreground, RecentStarts
from prebuilds.decision.policies.expectations import Expectation, Expectations, expect
from prebuilds.decision.policies.failures import BackoffKind, FailureClass
from prebuilds.decision.policies.policy import HARDENED, Policy, Victims
from prebuilds.decision.presets import PresetSnapshot
from prebuilds.decision.schedules.openings import Days, Opening
from prebuilds.decision.schedules.schedule import Precedence, Schedule
from prebuilds.decision.schedules.timetables import ScheduleProblem, check_schedules
from prebuilds.decision.schedules.windows import SharedHour, Window, find_shared_hour, is_overlapping, parse_window
from prebuilds.decision.snapshots import GlobalSnapshot, Orphans, SnapshotDocument
from prebuilds.decision.state import ReconciliationState, calculate_state
from prebuilds.decision.targets import Target, TargetSource, calculate_target
from prebuilds.errors import (
    InvalidCronError,
    InvalidSnapshotError,
    InvalidValueError,
    MissingExtraError,
    PrebuildsError,
    UnknownPresetError,
)
from prebuilds.version import __version__ as __version__

__all__ = [  # noqa: RUF022 - as `sorted` sorts
    "ActionType",
    "Autoscale",
    "Backoff",
    "BackoffKind",
    "Budget",
    "BudgetScope",
    "Build",
    "BuildStatus",
    "Change",
    "ChangeCause",
    "Days",
    "Decision",
    "DecisionChange",
    "Demand",
    "Expectation",
    "Expectations",
    "FailureClass",
    "Finding",
    "FindingKind",
    "Foreground",
    "GlobalSnapshot",
    "HARDENED",
    "HardLimit",
    "InProgress",
    "InvalidCronError",
    "InvalidSnapshotError",
    "InvalidValueError",
    "MissingExtraError",
    "Opening",
    "Orphans",
    "Pending",
    "Plan",
    "PlanDiff",
    "Policy",
    "Prebuild",
    "PrebuildStatus",
    "PrebuildsError",
    "Precedence",
    "Preset",
    "PresetSnapshot",
    "RecentStarts",
    "ReconciliationActions",
    "ReconciliationState",
    "Schedule",
    "ScheduleProblem",
    "Severity",
    "SharedHour",
    "SnapshotDocument",
    "Target",
    "TargetSource",
    "Template",
    "TemplateVersion",
    "Transition",
    "UnknownPresetError",
    "Victims",
    "Window",
    "Withheld",
    "WithheldReason",
    "calculate_actions",
    "calculate_backoffs",
    "calculate_hard_limited",
    "calculate_hard_limits",
    "calculate_state",
    "calculate_target",
    "can_skip_reconciliation",
    "check_schedules",
    "check_settings",
    "diff",
    "dump_plan",
    "dump_snapshot",
    "expect",
    "find_shared_hour",
    "is_overlapping",
    "load_document",
    "load_snapshot",
    "parse_window",
    "plan",
]
