"""The docs' example of an adapter: the loop works over it, with wrong clocks and with faults."""

from __future__ import annotations

import runpy
from datetime import timedelta
from pathlib import Path

import pytest
from runtime.world import HOUR, NOW, SECOND, World

from prebuilds import BuildStatus
from prebuilds.runtime import BuildReports, Store
from prebuilds.runtime.ports import Capability
from prebuilds.testing import Feature, check_claims, check_reconciler, check_store, list_claim_checks, list_store_checks
from prebuilds.testing.clocks import ManualClock

PATH = Path(__file__).parents[2] / "docs" / "examples" / "example_adapter.py"
EXAMPLE = runpy.run_path(str(PATH))


def make_store() -> Store:
    store: Store = EXAMPLE["ExampleStore"](timeout=0.2)
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


def test_it_is_short() -> None:
    """What is necessary fits on two screens."""
    assert len(PATH.read_text(encoding="utf-8").splitlines()) <= 120


def test_it_passes_the_checks_and_says_what_it_lacks() -> None:
    """It has the necessary part alone; every rule that needs no capability holds."""
    report = check_store(make_store)
    assert report.lacking == tuple(Capability)
    needless = [check for check in list_store_checks() if not check.needs]
    assert report.checks == tuple(check for check in needless if not check.port.startswith("StoreClock"))
    assert str(report).splitlines()[-1] == (
        "not checked, as the store lacks it: lease, outbox, counters, nesting, pause, budgets, memberships, "
        "claim_counts"
    )
    assert check_claims(make_store).checks == tuple(check for check in list_claim_checks() if not check.needs)


def test_it_passes_the_fault_kit() -> None:
    """A part of the small worlds, evenly chosen, and some larger scenarios, without what needs a capability."""
    report = check_reconciler(make_store, examples=20, most_runs=60)
    assert report.left_out == (Feature.REPLICAS, Feature.OUTBOX, Feature.PAUSE, Feature.BUDGETS, Feature.MEMBERSHIPS)
    assert report.explored.done == 60
    assert report.searched >= 20
