"""Checks: small named functions. Each holds an implementation of a port to one rule.

- A check makes a store or a pubsub with the given factory, and closes it.
- It raises every error as a `BrokenContractError`, also an error of the implementation itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from prebuilds.errors import BrokenContractError
from prebuilds.runtime.ports import PubSub, Store
from prebuilds.testing.contracts.equipment.error_words import Mismatch
from prebuilds.testing.contracts.equipment.recording import Record, record_store

MakeStore = Callable[[], Store]
MakePubSub = Callable[[], PubSub]
PubSubOf = Callable[[Any], PubSub]


@attrs.frozen(kw_only=True)
class Lab:
    """What the check of a store uses: a new, empty store, and the pubsub of its messages, if it has no outbox."""

    store: Store
    pubsub: PubSub | None = None


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
    """The check of a store. Call it with a factory; raises `BrokenContractError` if the rule is broken."""

    function: Callable[[Lab], None] = attrs.field(repr=False)

    def __call__(self, make_store: MakeStore, *, pubsub_of: PubSubOf | None = None) -> None:
        record = Record()
        with _explained(self, record):
            store = make_store()
            with _closed(store):
                pubsub = pubsub_of(store) if pubsub_of else None
                self.function(Lab(store=record_store(store, record), pubsub=pubsub))


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
    """The rules that were checked; all hold. As text: one line for each."""

    checks: tuple[Check, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.checks))


def store_check(
    checks: list[StoreCheck], port: str, rule: str
) -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    """A decorator that adds a function to the checks, with its port and the rule in the port's words."""

    def add(function: Callable[[Lab], None]) -> Callable[[Lab], None]:
        checks.append(StoreCheck(name=function.__name__, port=port, rule=rule, function=function))
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
