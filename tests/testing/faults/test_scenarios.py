"""A scenario and its text are the same thing."""

from __future__ import annotations

import pytest
from hypothesis import given

from prebuilds import InvalidValueError
from prebuilds.testing import FaultScenario, scenarios


@given(scenarios())
def test_a_scenario_is_its_text(scenario: FaultScenario) -> None:
    """Read back, it is the same."""
    assert FaultScenario.parse(str(scenario)) == scenario


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "FaultScenario.situations: .* must be one or more of steady, grow"),
        ("grow,grow", "none twice"),
        ("grow rounds=4", "FaultScenario.rounds: 4 is not allowed; it must be a whole number from 1 to 3"),
        ("grow rounds=many", "FaultScenario.rounds: 'many' is not allowed"),
        ("grow speed=1", "NAME=VALUE, the name one of reconcilers"),
        ("grow events=sleep", "any of pause, resume"),
        ("grow faults=r0:after", "PROCESS@POINT:MODE, the mode one of before, after"),
    ],
)
def test_a_text_that_is_no_scenario_is_refused(text: str, message: str) -> None:
    """With what is allowed."""
    with pytest.raises(InvalidValueError, match=message):
        FaultScenario.parse(text)
