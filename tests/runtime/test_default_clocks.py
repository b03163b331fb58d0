"""Clocks: everything that a host makes asks the machine's clock unless it is given another."""

from __future__ import annotations

from typing import Any

import pytest

from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import SYSTEM_CLOCK, BuildReports, Claims, Controls, MetricsCollector, ReconcilerOptions
from prebuilds.testing import ManualClock
from runtime.world import NOW


@pytest.mark.parametrize("kind", [BuildReports, Claims, Controls, MetricsCollector])
def test_the_clock_is_the_machines_unless_another_is_given(kind: Any) -> None:
    """In each class alike, and in the options of a reconciler."""
    clock = ManualClock(NOW)
    assert kind(MemoryStore())._clock is SYSTEM_CLOCK
    assert kind(MemoryStore(), clock=clock)._clock is clock
    assert ReconcilerOptions().clock is SYSTEM_CLOCK
