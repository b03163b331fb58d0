"""Tools for your own tests. They need the extra `testing`.

- `check_store`, `check_claims` and `check_pubsub` check an implementation of the ports against all their rules.
- `check_reconciler` runs the loop over a store with faults at every boundary; `replay_reconciler` repeats one run.
- `prebuilds.testing.strategies` has Hypothesis strategies for the models, to test your own decisions by property.
- `ManualClock` is a clock that you move by hand.
"""

from prebuilds.errors import MissingExtraError

try:
    import hypothesis as _hypothesis
except ImportError as error:
    raise MissingExtraError("hypothesis", "testing") from error
else:
    del _hypothesis

from prebuilds.renames import warn_of_renames
from prebuilds.testing.clocks import ManualClock
from prebuilds.testing.contracts import (
    Check,
    ContractReport,
    PubSubCheck,
    StoreCheck,
    check_claims,
    check_pubsub,
    check_store,
    list_claim_checks,
    list_pubsub_checks,
    list_store_checks,
)
from prebuilds.testing.faults import (
    AnswerLostError,
    Boundary,
    CrashedError,
    Delivery,
    Explored,
    Fault,
    FaultMode,
    FaultReport,
    FaultScenario,
    FaultyBuilder,
    FaultyPubSub,
    FaultyStore,
    Feature,
    InjectedTimeoutError,
    Injector,
    Invariant,
    JumpingClock,
    Scheduler,
    Script,
    ScriptedBuilder,
    StaleStore,
    UnreliablePubSub,
    check_reconciler,
    replay_reconciler,
    scenarios,
)

__all__ = [
    "AnswerLostError",
    "Boundary",
    "Check",
    "ContractReport",
    "CrashedError",
    "Delivery",
    "Explored",
    "Fault",
    "FaultMode",
    "FaultReport",
    "FaultScenario",
    "FaultyBuilder",
    "FaultyPubSub",
    "FaultyStore",
    "Feature",
    "InjectedTimeoutError",
    "Injector",
    "Invariant",
    "JumpingClock",
    "ManualClock",
    "PubSubCheck",
    "Scheduler",
    "Script",
    "ScriptedBuilder",
    "StaleStore",
    "StoreCheck",
    "UnreliablePubSub",
    "check_claims",
    "check_pubsub",
    "check_reconciler",
    "check_store",
    "list_claim_checks",
    "list_pubsub_checks",
    "list_store_checks",
    "replay_reconciler",
    "scenarios",
]

__getattr__ = warn_of_renames(__name__, {"Scenario": "FaultScenario"})
