"""Names that were given up: each still works, and says what it is called now."""

from __future__ import annotations

import importlib

import pytest

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
