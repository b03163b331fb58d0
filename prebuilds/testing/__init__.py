"""For the tests of those who use this library; needs the extra `testing`.

- `check_store`, `check_claims` and `check_pubsub` hold an implementation of the ports to every rule of them.
- `prebuilds.testing.strategies` makes models for Hypothesis, so that a host can test its own decisions by property.
- `ManualClock` is a clock that moves only when told to.
"""

from prebuilds.errors import MissingExtraError

try:
    import hypothesis as _hypothesis
except ImportError as error:
    raise MissingExtraError("hypothesis", "testing") from error
else:
    del _hypothesis

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

__all__ = [
    "Check",
    "ContractReport",
    "ManualClock",
    "PubSubCheck",
    "StoreCheck",
    "check_claims",
    "check_pubsub",
    "check_store",
    "list_claim_checks",
    "list_pubsub_checks",
    "list_store_checks",
]
