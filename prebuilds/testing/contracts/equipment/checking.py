"""Checks: small named functions. Each holds an implementation of a port to one rule.

- A check makes a store or a pubsub with the given factory, and closes it.
- A check of a capability does nothing with a store that lacks it.
- It raises every error as a `BrokenContractError`, also an error of the implementation itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from prebuilds.errors import BrokenContractError
from prebuilds.runtime.ports import Capability, PubSub, Store, StoreClock
from prebuilds.testing.capabilities import list_capabilities
from prebuilds.testing.contracts.equipment.error_words import Mismatch
from prebuilds.testing.contracts.equipment.recording import Record, record_store

MakeStore = Callable[[], Store]
MakePubSub = Callable[[], PubSub]
PubSubOf = Callable[[Any], PubSub]
_OWNERS = {
    "LeaseWrites": Capability.LEASE,
    "OutboxWrites": Capability.OUTBOX,
    "CounterWrites": Capability.COUNTERS,
    "Nesting": Capability.NESTING,
    "PauseWrites": Capability.PAUSE,
    "BudgetWrites": Capability.BUDGETS,
    "MembershipWrites": Capability.MEMBERSHIPS,
    "ClaimCountWrites": Capability.CLAIM_COUNTS,
}

_CLOCK = ("StoreClock.follow_clock",)


@attrs.frozen(kw_only=True)
class Lab:
    """What the check of a store uses: a new, empty store, and the pubsub of its messages, if it has no outbox."""

    store: Store
    pubsub: PubSub | None = None
    capabilities: frozenset[Capability] = frozenset(Capability)


@attrs.frozen(kw_only=True)
class Check:
    """One rule of a port, and the name of its check. As text: `name: rule`."""

    name: str
    port: str
    rule: str

    @property
    def __name__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return f"{self.name}: {self.rule}"


@attrs.frozen(kw_only=True)
class StoreCheck(Check):
    """The check of a store. Call it with a factory; raises `BrokenContractError` if the rule is broken.

    Returns False if it checked nothing, as the store lacks a capability in `needs`.
    """

    function: Callable[[Lab], None] = attrs.field(repr=False)
    needs: frozenset[Capability] = frozenset()

    def __call__(self, make_store: MakeStore, *, pubsub_of: PubSubOf | None = None) -> bool:
        record = Record()
        with _explained(self, record):
            store = make_store()
            with _closed(store):
                capabilities = list_capabilities(store)
                if not self.needs <= capabilities or (self.port in _CLOCK and not isinstance(store, StoreClock)):
                    return False
                pubsub = pubsub_of(store) if pubsub_of else None
                self.function(Lab(store=record_store(store, record), pubsub=pubsub, capabilities=capabilities))
        return True


@attrs.frozen(kw_only=True)
class PubSubCheck(Check):
    """The check of a pubsub. Call it with a factory; raises `BrokenContractError` if the rule is broken."""

    function: Callable[[PubSub], None] = attrs.field(repr=False)

    def __call__(self, make_pubsub: MakePubSub) -> None:
        with _explained(self, Record()):
            pubsub = make_pubsub()
            with _closed(pubsub):
                self.function(pubsub)


@attrs.frozen(kw_only=True)
class ContractReport:
    """The rules that were checked; all hold. As text: one line for each, and one for the capabilities that are lacking.

    `lacking` are the capabilities that the store lacks, so that their rules were not checked.
    """

    checks: tuple[Check, ...]
    lacking: tuple[Capability, ...] = ()

    def __str__(self) -> str:
        names = ", ".join(capability.value for capability in self.lacking)
        return "\n".join([*map(str, self.checks), *([f"not checked, as the store lacks it: {names}"] if names else [])])


def store_check(
    checks: list[StoreCheck], port: str, rule: str, *, needs: Collection[Capability] = ()
) -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    """A decorator that adds a function to the checks, with its port and the rule in the port's words.

    The check needs the capability of the port, and those in `needs`.
    """
    owner = port.partition(".")[0]
    own = {_OWNERS[owner]} if owner in _OWNERS else set()

    def add(function: Callable[[Lab], None]) -> Callable[[Lab], None]:
        needed = frozenset({*own, *needs})
        checks.append(StoreCheck(name=function.__name__, port=port, rule=rule, function=function, needs=needed))
        return function

    return add


def pubsub_check(
    checks: list[PubSubCheck], rule: str
) -> Callable[[Callable[[PubSub], None]], Callable[[PubSub], None]]:
    """`store_check`, for a rule of `PubSub`."""

    def add(function: Callable[[PubSub], None]) -> Callable[[PubSub], None]:
        checks.append(PubSubCheck(name=function.__name__, port="PubSub", rule=rule, function=function))
        return function

    return add


@contextmanager
def _explained(check: Check, record: Record) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        seen = str(error) if isinstance(error, Mismatch) else f"{type(error).__name__} was raised: {error}"
        raise BrokenContractError(check.name, check.port, check.rule, record.list_lines(), seen) from error


@contextmanager
def _closed(made: object) -> Iterator[None]:
    """Close what was made when the block ends, if it has a `close`."""
    try:
        yield
    finally:
        close = getattr(made, "close", None)
        if close is not None:
            close()
