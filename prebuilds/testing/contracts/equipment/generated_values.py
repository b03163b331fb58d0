"""Rules that hold for many values. Hypothesis makes the values, the same in every run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

_T = TypeVar("_T")
_ROUNDS = 40


def for_each(strategy: st.SearchStrategy[_T], check: Callable[[int, _T], None]) -> None:
    """Check a rule for many values, the same in every run. `check` gets the number of each, to make ids of."""
    rounds = 0

    @settings(
        max_examples=_ROUNDS,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(strategy)
    def hold(value: _T) -> None:
        nonlocal rounds
        rounds += 1
        check(rounds, value)

    hold()
