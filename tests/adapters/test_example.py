"""The docs' example of an adapter: the loop works over it, with wrong clocks and with faults."""

from __future__ import annotations

import runpy
from datetime import timedelta
from pathlib import Path

import pytest
from runtime.world import HOUR, NOW, SECOND, World

from prebuilds import BuildStatus
from prebuilds.runtime import BuildReports, Store
from prebuilds.testing import Feature, check_reconciler
from prebuilds.testing.clocks import ManualClock

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "examples" / "example_adapter.py"))


def make_store() -> Store:
    store: Store = EXAMPLE["ExampleStore"](EXAMPLE["ExamplePubSub"](), timeout=0.2)
    return store


@pytest.mark.parametrize("behind", [SECOND, HOUR])
@pytest.mark.parametrize("succeed", [True, False])
def test_it_accepts_reports_dated_by_a_slow_clock(behind: timedelta, *, succeed: bool) -> None:
    """A build ends no earlier than it began, without the adapter's doing; the loop reads on."""
    world = World(store=make_store())
    world.reconcile()
    reports = BuildReports(world.store, clock=ManualClock(NOW - behind))
    for build_id in world.builder.taken:
        assert reports.begin(build_id)
        assert reports.succeed(build_id) if succeed else reports.fail(build_id)
    status = BuildStatus.SUCCEEDED if succeed else BuildStatus.FAILED
    assert [(build.status, build.finished_at) for build in world.list_builds()] == [(status, NOW)] * 2
    assert world.reconcile().failed == ()


def test_it_passes_the_fault_kit() -> None:
    """A part of the small worlds, evenly chosen, and some larger scenarios. It has a queue instead of an outbox."""
    report = check_reconciler(make_store, without=[Feature.OUTBOX], examples=20, most_runs=60)
    assert report.explored.done == 60
    assert report.searched >= 20
