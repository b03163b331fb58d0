"""The contract of the ports, as checks that every `Store` and `PubSub` must pass.

- Checks are plain functions over factories, and need no test framework.
- They start with the basics, so the first check that fails is the one to look at.
"""

from __future__ import annotations

from prebuilds.runtime.ports import Capability
from prebuilds.testing.capabilities import list_capabilities_of
from prebuilds.testing.contracts import pubsubs
from prebuilds.testing.contracts.claims import claims, counts, races, repeats, whole
from prebuilds.testing.contracts.equipment.checking import (
    Check,
    ContractReport,
    MakePubSub,
    MakeStore,
    PubSubCheck,
    PubSubOf,
    StoreCheck,
)
from prebuilds.testing.contracts.store import (
    batches,
    builds,
    clocks,
    connections,
    creates,
    deletes,
    histories,
    leases,
    messages,
    releases,
    roundtrips,
    selections,
    settings,
    transactions,
)

__all__ = [
    "Check",
    "ContractReport",
    "PubSubCheck",
    "StoreCheck",
    "check_claims",
    "check_pubsub",
    "check_store",
    "list_claim_checks",
    "list_pubsub_checks",
    "list_store_checks",
]


def check_store(make_store: MakeStore, *, pubsub_of: PubSubOf | None = None) -> ContractReport:
    """Check a store against every rule of the ports except those of claims. Returns the rules that were checked.

    The rules of capabilities that the store lacks are left out.

    `make_store` gives a new, empty store at every call; a store with a `close` is closed. If a store has no outbox,
    `pubsub_of` gives the pubsub that a store of `make_store` sends its messages to. Let connections time out soon, as
    one check waits for that. Raises `BrokenContractError` for the first broken rule.
    """
    return _check_all(list_store_checks(), make_store, pubsub_of)


def check_claims(make_store: MakeStore) -> ContractReport:
    """Check claims: which prebuild is taken, that no two threads take the same one, and that none is lost.

    Takes the same factory as `check_store`, and returns and raises the same.
    """
    return _check_all(list_claim_checks(), make_store, None)


def check_pubsub(make_pubsub: MakePubSub) -> ContractReport:
    """Check a pubsub. `make_pubsub` gives a new one at every call, without subscribers; one with a `close` is closed.

    Returns the rules that were checked. Raises `BrokenContractError` for the first broken rule.
    """
    checks = list_pubsub_checks()
    for check in checks:
        check(make_pubsub)
    return ContractReport(checks=checks)


def list_store_checks() -> tuple[StoreCheck, ...]:
    """The checks of `check_store`, one for each rule. Each has a `name`, and is called with the factory."""
    basics = (*transactions.CHECKS, *connections.CHECKS, *settings.CHECKS, *roundtrips.PRESET_CHECKS)
    workspaces = (
        *creates.CHECKS,
        *builds.CHECKS,
        *histories.CHECKS,
        *selections.CHECKS,
        *deletes.CHECKS,
        *batches.CHECKS,
        *releases.CHECKS,
    )
    return (*basics, *workspaces, *messages.CHECKS, *roundtrips.MESSAGE_CHECKS, *leases.CHECKS, *clocks.CHECKS)


def list_claim_checks() -> tuple[StoreCheck, ...]:
    """The checks of `check_claims`, one for each rule."""
    return (*claims.CHECKS, *roundtrips.CLAIM_CHECKS, *races.CHECKS, *whole.CHECKS, *repeats.CHECKS, *counts.CHECKS)


def list_pubsub_checks() -> tuple[PubSubCheck, ...]:
    """The checks of `check_pubsub`, one for each rule."""
    return tuple(pubsubs.CHECKS)


def _check_all(checks: tuple[StoreCheck, ...], make_store: MakeStore, pubsub_of: PubSubOf | None) -> ContractReport:
    done = tuple(check for check in checks if check(make_store, pubsub_of=pubsub_of))
    capabilities = list_capabilities_of(make_store)
    return ContractReport(checks=done, lacking=tuple(each for each in Capability if each not in capabilities))
