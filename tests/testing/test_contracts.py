"""The adapters, and the example of the documentation, keep the contract; its checks quote the ports, all of them."""

from __future__ import annotations

import ast
import inspect
import re
import runpy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from servers import Database

from prebuilds import testing as testing_kit
from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.adapters.sqlite import SQLitePubSub, SQLiteStore
from prebuilds.runtime import PubSub, Store, models, ports
from prebuilds.testing import (
    Check,
    PubSubCheck,
    StoreCheck,
    check_claims,
    check_pubsub,
    check_store,
    list_claim_checks,
    list_pubsub_checks,
    list_store_checks,
)

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "examples" / "example_adapter.py"))
STORE_CHECKS = (*list_store_checks(), *list_claim_checks())
CHECKS: tuple[Check, ...] = (*STORE_CHECKS, *list_pubsub_checks())
TIMEOUT = timedelta(milliseconds=200)
PORTS = "\n".join(path.read_text(encoding="utf-8") for path in sorted(Path(ports.__path__[0]).glob("*.py")))

# Headings, what the checks of another sentence show, and what is no business of an implementation.
UNCHECKED = {
    "A new pubsub over this store.",
    "A pause of the whole, a capability.",
    "A store that brings a pubsub of its own, a capability.",
    "If it has a `close`, it is called at the end.",
    "`Pools` uses it.",
    "A capability of a `Store`: it makes a whole claim in one call, for example in one trip to a server.",
    "A `PubSub` that can send several messages at the cost of one.",
    "A host that has presets elsewhere needs it only for tests.",
    "A sender of many messages uses it.",
    "A prebuild whose preset no longer exists is read as well.",
    "Begins transactions.",
    "Both answer alike.",
    "Carries messages to listeners, within a process or between several.",
    "Counters for metrics, written in the same transaction as what they count.",
    "Creating and deleting prebuilds.",
    "An index on `hash_preset` serves shards.",
    "Everything that a plan for these presets is made from, all of one moment.",
    "Giving prebuilds to users.",
    "If a preset keeps its id but changes its version or its parameters, its existing prebuilds are outdated (R2).",
    "It may lack a `Capability`; `Capability.is_in` tells.",
    "It lasts as long as its `with` block.",
    "Make the claim as a transaction of its own.",
    "Normally a preset belongs to one template version for good, so that the presets of an active version and of a "
    "candidate stand beside each other.",
    "Note that a preset's failures up to this instant no longer count towards its hard limit.",
    "Promoting a version makes all presets of the old one inactive at once.",
    "Parts of a transaction, a capability.",
    "Raises `CommitUnknownError` if the connection is lost during the commit: it may or may not have succeeded.",
    "The progress of builds.",
    "What a plan is made from, and presets alone.",
    "What the prebuilds user belongs to, a capability.",
    "What people set, and what the reconciler tells them.",
    "Budgets that people change while the loop runs, a capability.",
    "Claims by the minute, a capability: what a target that follows demand is learned from (R21).",
    "`FleetRows.budgets` belongs to it.",
    "`budgets` has every budget of the store, in any order.",
    "`FleetRows.is_paused` belongs to it.",
    "`FleetRows.memberships` belongs to it.",
    "`memberships` has the ids of the organisations that the prebuilds user belongs to, and `is_paused` says whether "
    "reconciliation is paused.",
    "`builds` has the builds that decide backoffs and hard limits (R13), in any order; extra builds do no harm.",
    "A capability of a `Store`: it has a clock of its own, which all its clients share.",
    "Where a store has it, the library asks this clock wherever it would ask the machine's.",
    "A clock of the host's own, as in a test, is left as it is.",
    "It waits and counts seconds as `host` does.",
    "It sets itself outside transactions only, so that it never needs a second connection.",
    "Several threads may share it.",
    "`Claims` uses it where a store has it, and otherwise makes the claim in a transaction.",
    "`make_outcome` turns a finished build into a `Build`.",
}


@pytest.fixture
def make_path(tmp_path: Path) -> Callable[[], Path]:
    numbers = count()
    return lambda: tmp_path / f"{next(numbers)}.db"


@pytest.fixture(params=["memory", "sqlite", "postgres", "example"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def pubsub_kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def make_store(kind: str, make_path: Callable[[], Path], request: pytest.FixtureRequest) -> Callable[[], Store]:
    makers: dict[str, Callable[[], Store]] = {
        "memory": lambda: MemoryStore(max_connections=3, timeout=TIMEOUT),
        "sqlite": lambda: SQLiteStore(make_path(), max_connections=3, timeout=TIMEOUT),
        "postgres": lambda: _make_postgres_store(request),
        "example": lambda: EXAMPLE["ExampleStore"](timeout=TIMEOUT.total_seconds()),
    }
    return makers[kind]


@pytest.fixture
def make_pubsub(
    pubsub_kind: str, make_path: Callable[[], Path], request: pytest.FixtureRequest
) -> Iterator[Callable[[], PubSub]]:
    with ExitStack() as stack:

        def make_sqlite() -> PubSub:
            store = stack.enter_context(closing(SQLiteStore(make_path())))
            return SQLitePubSub(store, interval=timedelta(milliseconds=10))

        makers: dict[str, Callable[[], PubSub]] = {
            "memory": MemoryPubSub,
            "sqlite": make_sqlite,
            "postgres": lambda: _make_postgres_pubsub(request),
        }
        yield makers[pubsub_kind]


def _make_postgres_store(request: pytest.FixtureRequest) -> Store:
    from prebuilds.adapters.postgres import Timeouts

    database: Database = request.getfixturevalue("database")
    timeouts = Timeouts(connection=2 * TIMEOUT, lock=TIMEOUT)
    return database.make_new_store(max_connections=3, timeouts=timeouts)


def _make_postgres_pubsub(request: pytest.FixtureRequest) -> PubSub:
    from prebuilds.adapters.postgres import PostgresPubSub

    return PostgresPubSub(request.getfixturevalue("database").make_new_store())


@pytest.mark.parametrize("check", STORE_CHECKS)
def test_stores_keep_the_contract(check: StoreCheck, kind: str, make_store: Callable[[], Store]) -> None:
    """Each rule, one after another; the example has no capability, and is held to the rest.

    PostgreSQL alone has a clock that clients share. The others are on one machine.
    """
    assert check(make_store) == (kind == "postgres" if _is_of_clock(check) else kind != "example" or not check.needs)


def _is_of_clock(check: Check) -> bool:
    return check.port.startswith("StoreClock")


@pytest.mark.parametrize("check", list_pubsub_checks())
def test_pubsubs_keep_the_contract(check: PubSubCheck, make_pubsub: Callable[[], PubSub]) -> None:
    """Each rule, one after another."""
    check(make_pubsub)


def test_a_store_that_is_also_heard_keeps_the_contract() -> None:
    """Messages of an outbox may be taken from the pubsub that they are relayed to, as a host would."""
    check_store(lambda: MemoryStore(timeout=TIMEOUT), pubsub_of=lambda _: MemoryPubSub())


def test_the_report_lists_every_rule() -> None:
    """In the order in which they were checked, with their names."""
    reports = [
        check_store(lambda: MemoryStore(timeout=TIMEOUT)),
        check_claims(lambda: MemoryStore(timeout=TIMEOUT)),
        check_pubsub(MemoryPubSub),
    ]
    done = tuple(check for report in reports for check in report.checks)
    assert done == tuple(check for check in CHECKS if not _is_of_clock(check))
    assert "a_subscription_ends: Returns a function that ends it." in str(reports[2]).splitlines()


def test_what_is_made_is_closed() -> None:
    """Every store that was made is closed once."""
    log: list[str] = []

    class Closing(MemoryStore):
        def __init__(self) -> None:
            super().__init__(timeout=TIMEOUT)
            log.append("made")

        def close(self) -> None:
            log.append("closed")

    check_claims(Closing)
    assert log == ["made", "closed"] * (len(list_claim_checks()) + 1)


def test_the_names_are_unique() -> None:
    """So that a test of one rule can be asked for."""
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.__name__ == check.name for check in CHECKS)


def test_the_api_page_has_every_public_name() -> None:
    """The page documents what `prebuilds.testing` exports, each name once, sorted in `__all__`."""
    page = (Path(__file__).parents[2] / "docs" / "prove" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^\.\. auto\w+:: prebuilds\.testing\.(\w+)$", page, re.MULTILINE)
    assert sorted(set(named) - {"strategies"}) == testing_kit.__all__ == sorted(testing_kit.__all__)


def squeeze(text: str) -> str:
    """The text with every run of white space as one space."""
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("check", CHECKS)
def test_every_rule_is_quoted_from_the_ports(check: Check) -> None:
    """An error shows the words that an adapter's author finds in the code, of the thing that it names."""
    assert check.rule in squeeze(PORTS + inspect.getsource(models))
    owner, _, member = check.port.partition(".")
    owned = ports if owner == "ports" else getattr(ports, owner, None) or getattr(models, owner)
    assert hasattr(owned, member or "__doc__")


def list_sentences() -> Iterator[str]:
    """Every sentence of the docstrings of what a store or a pubsub implements."""
    skipped = ("WorkspaceBuilder", "CancelingBuilder", "Clock", "Isolation", "Capability", "Rows")
    for node in ast.parse(PORTS).body:
        if isinstance(node, ast.ClassDef) and node.name not in skipped:
            for part in (node, *(child for child in node.body if isinstance(child, ast.FunctionDef))):
                text = squeeze(ast.get_docstring(part) or "")
                yield from (f"{sentence}." for sentence in text.removesuffix(".").split(". "))


def test_every_sentence_of_the_ports_is_checked() -> None:
    """A rule holds a sentence or a part of one; what needs no check is named above, with no more than that."""
    quoted = [check.rule.removesuffix(".") for check in CHECKS]
    bare = {text for text in list_sentences() if not any(rule in text or text[:-1] in rule for rule in quoted)}
    assert bare == UNCHECKED
