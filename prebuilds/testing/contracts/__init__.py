"""The contract of the ports as checks, which every implementation of a `Store` or a `PubSub` must pass.

- They are plain functions over factories, and need no test framework.
- They begin with what the others stand on, so that the first one that fails is the one to look at.
"""

from __future__ import annotations

from prebuilds.testing.contracts import pubsubs
from prebuilds.testing.contracts.bench.checking import (
    Check,
    ContractReport,
    MakePubSub,
    MakeStore,
    PubSubCheck,
    PubSubOf,
    StoreCheck,
)
from prebuilds.testing.contracts.claims import claims, races
from prebuilds.testing.contracts.store import (
    builds,
    connections,
    creates,
    deletes,
    endings,
    histories,
    leases,
    messages,
    roundtrips,
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
    """Check a store against every rule of the ports but those of claims; returns which they were.

    `make_store` gives a new, empty store at every call; one that has a method `close` is closed. A store that keeps
    committed messages elsewhere than in an outbox needs `pubsub_of`, which gives the pubsub that a store of
    `make_store` sends them to. Give it connections that time out soon, as one check waits for that. Raises
    `BrokenContractError` for the first rule that is broken.
    """
    return _check_all(list_store_checks(), make_store, pubsub_of)


def check_claims(make_store: MakeStore) -> ContractReport:
    """Check claims: which prebuild is taken, that no two threads take the same, and that none is lost.

    The factory is that of `check_store`, and so are what is returned and raised.
    """
    return _check_all(list_claim_checks(), make_store, None)


def check_pubsub(make_pubsub: MakePubSub) -> ContractReport:
    """Check a pubsub. `make_pubsub` gives a new one, without subscribers, at every call; what has a `close` is closed.

    Returns which rules were checked; raises `BrokenContractError` for the first that is broken.
    """
    checks = list_pubsub_checks()
    for check in checks:
        check(make_pubsub)
    return ContractReport(checks=checks)


def list_store_checks() -> tuple[StoreCheck, ...]:
    """What `check_store` does, rule by rule: each is called with the factory and has a `name`."""
    basics = (*transactions.CHECKS, *connections.CHECKS, *settings.CHECKS, *roundtrips.PRESET_CHECKS)
    workspaces = (*creates.CHECKS, *builds.CHECKS, *histories.CHECKS, *deletes.CHECKS, *endings.CHECKS)
    return (*basics, *workspaces, *messages.CHECKS, *roundtrips.MESSAGE_CHECKS, *leases.CHECKS)


def list_claim_checks() -> tuple[StoreCheck, ...]:
    """What `check_claims` does, rule by rule."""
    return (*claims.CHECKS, *roundtrips.CLAIM_CHECKS, *races.CHECKS)


def list_pubsub_checks() -> tuple[PubSubCheck, ...]:
    """What `check_pubsub` does, rule by rule."""
    return tuple(pubsubs.CHECKS)


def _check_all(checks: tuple[StoreCheck, ...], make_store: MakeStore, pubsub_of: PubSubOf | None) -> ContractReport:
    for check in checks:
        check(make_store, pubsub_of=pubsub_of)
    return ContractReport(checks=checks)
