"""The loop: it reads a snapshot, plans, and carries the plan out, over ports that the host implements.

- `ports` says what the host provides. `Reconciler` does the rest.
- `Claims` hands prebuilds to users. `Controls` is for people, `BuildReports` for the host's builder.
- Authors of adapters find their names in `prebuilds.runtime.ports` and `prebuilds.runtime.workspace_rules`.
"""

from prebuilds.renames import warn_of_renames
from prebuilds.runtime.build_reports import PREBUILDS_CHANGED, BuildReports
from prebuilds.runtime.claim_answers import Claim, MissReason
from prebuilds.runtime.claims import Claims, match_preset
from prebuilds.runtime.clocks import SYSTEM_CLOCK, FollowingClock
from prebuilds.runtime.controls import Controls
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection, Shard, hash_preset, select
from prebuilds.runtime.loop.effect_lists import list_effects
from prebuilds.runtime.loop.effects import (
    AddMembership,
    CancelBuild,
    CancelPending,
    CreatePrebuild,
    DeletePrebuild,
    Effect,
    SetPrebuildStatus,
    SubmitBuild,
)
from prebuilds.runtime.loop.fleet import Fleet
from prebuilds.runtime.loop.fleet_reading import read_fleet
from prebuilds.runtime.loop.options import ReconcilerOptions
from prebuilds.runtime.loop.reconciler import Reconciler
from prebuilds.runtime.loop.results import EffectOutcome, OutcomeStatus, PassStatus, PresetResult, ReconciliationResult
from prebuilds.runtime.metrics.collector import MetricsCollector
from prebuilds.runtime.models import (
    PREBUILDS_USER_ID,
    BuildRequest,
    ClaimCount,
    ClaimOrder,
    ClaimRequest,
    Counter,
    CounterValue,
    Lease,
    Message,
    NewPrebuild,
    OutboxEntry,
    Workspace,
    WorkspaceBuild,
)
from prebuilds.runtime.pools.asyncio_threads import run_in_threads
from prebuilds.runtime.pools.pools import Pools
from prebuilds.runtime.ports import (
    BatchPubSub,
    CancelingBuilder,
    Clock,
    Isolation,
    PubSub,
    Store,
    Transaction,
    WorkspaceBuilder,
)
from prebuilds.runtime.publishing.background import BackgroundRelay
from prebuilds.runtime.publishing.commit_guard import (
    HeldMessages,
    hold_messages,
    open_transaction,
    refuse_in_transaction,
)
from prebuilds.runtime.publishing.relays import MessageQueue, OutboxRelay
from prebuilds.runtime.workspace_rules import resolve_template_version

__getattr__ = warn_of_renames(__name__, {"Outcome": "EffectOutcome", "Take": "ClaimRequest"})

__all__ = [
    "ALL_PRESETS",
    "PREBUILDS_CHANGED",
    "PREBUILDS_USER_ID",
    "SYSTEM_CLOCK",
    "AddMembership",
    "BackgroundRelay",
    "BatchPubSub",
    "BuildReports",
    "BuildRequest",
    "CancelBuild",
    "CancelPending",
    "CancelingBuilder",
    "Claim",
    "ClaimCount",
    "ClaimOrder",
    "ClaimRequest",
    "Claims",
    "Clock",
    "Controls",
    "Counter",
    "CounterValue",
    "CreatePrebuild",
    "DeletePrebuild",
    "Effect",
    "EffectOutcome",
    "Fleet",
    "FleetRows",
    "FollowingClock",
    "HeldMessages",
    "Isolation",
    "Lease",
    "Message",
    "MessageQueue",
    "MetricsCollector",
    "MissReason",
    "NewPrebuild",
    "OutboxEntry",
    "OutboxRelay",
    "OutcomeStatus",
    "PassStatus",
    "Pools",
    "PresetResult",
    "PubSub",
    "Reconciler",
    "ReconcilerOptions",
    "ReconciliationResult",
    "Selection",
    "SetPrebuildStatus",
    "Shard",
    "Store",
    "SubmitBuild",
    "Transaction",
    "Workspace",
    "WorkspaceBuild",
    "WorkspaceBuilder",
    "hash_preset",
    "hold_messages",
    "list_effects",
    "match_preset",
    "open_transaction",
    "read_fleet",
    "refuse_in_transaction",
    "resolve_template_version",
    "run_in_threads",
    "select",
]
