"""Names that were given up: each still works, and says what it is called now."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from prebuilds import GlobalSnapshot, Plan, Prebuild, Preset, calculate_target, plan
from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import ClaimRequest, Claims

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)
WEB = Preset(id="web", desired_instances=1)
SNAPSHOT = GlobalSnapshot(presets=[WEB], running=[Prebuild(id="w", preset_id="gone", created_at=NOW)])

# The old names of each package, with the new ones.
RENAMED = {
    "prebuilds.runtime": {"Outcome": "EffectOutcome", "Take": "ClaimRequest"},
    "prebuilds.testing": {"Scenario": "FaultScenario"},
    "prebuilds.testing.faults": {"Scenario": "FaultScenario"},
    "prebuilds.testing.strategies": {"takes": "claim_requests"},
    "prebuilds.whatif": {"HeldOut": "HoldoutReport", "Loss": "LossReason", "Outcome": "ScenarioOutcome"},
}


@pytest.mark.parametrize(("package", "old"), [(package, old) for package, names in RENAMED.items() for old in names])
def test_an_old_name_still_works_and_names_the_new_one(package: str, old: str) -> None:
    """It is the same thing, under another name; nothing else is there by accident."""
    module, new = importlib.import_module(package), RENAMED[package][old]
    with pytest.warns(DeprecationWarning, match=rf"^{package}\.{old} is called {new} now$"):
        assert getattr(module, old) is getattr(module, new)
    assert old not in module.__all__
    with pytest.raises(AttributeError, match="has no attribute 'ghost'"):
        _ = module.ghost


def make_store() -> MemoryStore:
    """A store with a preset and no prebuild."""
    store = MemoryStore()
    with store.transaction() as tx:
        tx.put_preset(WEB)
    return store


def take(**arguments: ClaimRequest) -> object:
    """Ask a store for a prebuild."""
    with make_store().transaction() as tx:
        untyped: Any = tx  # the port takes the request by position
        return untyped.take_prebuild(**arguments)


# Each call with an old name, the same with the new one, and the warning.
CALLS: dict[str, tuple[Callable[[], object], Callable[[], object], str]] = {
    "owner of claim": (
        lambda: Claims(make_store()).claim("web", owner="ann", name="dev"),  # type: ignore[call-arg]
        lambda: Claims(make_store()).claim("web", owner_id="ann", name="dev"),
        r"^the argument owner of Claims\.claim\(\) is called owner_id now$",
    ),
    "take of take_prebuild": (
        lambda: take(take=ClaimRequest(preset_id="web", owner_id="ann", name="dev", claimed_at=NOW)),
        lambda: take(request=ClaimRequest(preset_id="web", owner_id="ann", name="dev", claimed_at=NOW)),
        r"^the argument take of RowClaimWrites\.take_prebuild\(\) is called request now$",
    ),
    "now of calculate_target": (
        lambda: calculate_target(WEB, NOW),  # type: ignore[misc]
        lambda: calculate_target(WEB, now=NOW),
        r"^calculate_target\(\) takes now as a keyword now$",
    ),
    "paused of Plan": (
        lambda: Plan(now=NOW, paused=True),  # type: ignore[call-arg]
        lambda: Plan(now=NOW, is_paused=True),
        r"^the argument paused of Plan\.__init__\(\) is called is_paused now$",
    ),
    "orphaned of Plan": (
        lambda: Plan(now=NOW, orphaned=SNAPSHOT.orphan_counts),  # type: ignore[call-arg]
        lambda: Plan(now=NOW, orphan_counts=SNAPSHOT.orphan_counts),
        r"^the argument orphaned of Plan\.__init__\(\) is called orphan_counts now$",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_old_way_to_call_still_works_and_names_the_new_one(name: str) -> None:
    """Both do the same, and the warning is shown at the caller's line."""
    old, new, warning = CALLS[name]
    with pytest.warns(DeprecationWarning, match=warning) as warned:
        got = old()
    assert [entry.filename for entry in warned] == [__file__]
    assert got == new()


def test_an_argument_is_not_given_under_both_its_names() -> None:
    """Nobody could say which of the two counts."""
    with pytest.raises(TypeError, match=r"claim\(\) is called owner_id now, and was given under both names$"):
        Claims(make_store()).claim("web", owner="ann", owner_id="bob", name="dev")  # type: ignore[call-arg]


def test_a_call_without_its_keyword_is_refused_as_ever() -> None:
    """A `now` that is missing is no old way to call."""
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'now'"):
        calculate_target(WEB)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("made", "old", "new"),
    [
        (plan(SNAPSHOT, now=NOW, paused=True), "paused", "is_paused"),
        (plan(SNAPSHOT, now=NOW, paused=True), "orphaned", "orphan_counts"),
        (plan(SNAPSHOT, now=NOW, paused=True), "hindrances", "caveats"),
        (SNAPSHOT, "orphaned", "orphan_counts"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_old_attribute_still_works_and_names_the_new_one(made: object, old: str, new: str) -> None:
    """It is the same value, under another name."""
    with pytest.warns(DeprecationWarning, match=rf"^{type(made).__name__}\.{old} is called {new} now$"):
        assert getattr(made, old) == getattr(made, new)
