"""`run` decides by `HARDENED`, and all that explains what it does uses the same policy."""

from __future__ import annotations

import urllib.request
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from command_line import LONG, call
from runtime.world import MINUTE, World, make_preset

from prebuilds import FailureClass, Policy
from prebuilds.adapters.memory import MemoryStore
from prebuilds.adapters.sqlite import SQLiteStore
from prebuilds.commands.fleet.metrics_server import LOOPBACK, serve_metrics
from prebuilds.runtime import Store
from prebuilds.testing.clocks import ManualClock

GAUGE = "coderd_prebuilt_workspaces_preset_hard_limited"


def fail_starts(store: Store, ago: timedelta, failure: FailureClass = FailureClass.TRANSIENT) -> None:
    """A preset `p` of three, whose first three starts failed so long ago."""
    world = World(make_preset(desired_instances=3), store=store, clock=ManualClock(datetime.now(timezone.utc) - ago))
    world.reconcile()
    for build in list(world.builder.taken):
        world.reports.begin(build)
        world.reports.fail(build, failure=failure, message="no such image")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pool.db"


def test_after_a_failure_run_starts_one_at_a_time(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once the wait of a minute is over. The original would wait three, then create three."""
    with SQLiteStore(path) as store:
        fail_starts(store, 2 * MINUTE)
    status, out, _ = call(capsys, "run", "--store", f"sqlite:{path}", "--once")
    assert (status, out.splitlines()[:2]) == (0, ["p: create 1, delete 3", "p: create 2"])


def test_run_and_status_tell_of_the_probe(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hard limit ends by itself. Without a probe only a reset would end it."""
    with SQLiteStore(path) as store:
        fail_starts(store, MINUTE, FailureClass.CONFIGURATION)
    told = "p is hard-limited: it creates nothing until a probe succeeds or it is reset; limited since "
    _, shown, _ = call(capsys, "status", "--store", f"sqlite:{path}")
    _, ran, _ = call(capsys, "run", "--store", f"sqlite:{path}", "--once")
    assert [told in text for text in (shown, ran)] == [True, True]


def scrape(address: str) -> dict[str, str]:
    """The value of each series, without its labels, once the first reading is there."""
    while True:
        with urllib.request.urlopen(address, timeout=LONG) as answer:  # noqa: S310
            lines = answer.read().decode().splitlines()
        found = {name.partition("{")[0]: value for name, _, value in (line.rpartition(" ") for line in lines)}
        if GAUGE in found:
            return found


@pytest.mark.parametrize("limit", [1, 0])
def test_metrics_are_those_of_the_given_policy(limit: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A preset that has failed once is limited by a policy that allows one attempt, and not by one without a limit."""
    store = MemoryStore()
    fail_starts(store, MINUTE)
    with ExitStack() as resources:
        serve_metrics(LOOPBACK, 0, store, Policy(failure_hard_limit=limit), resources)
        found = scrape(capsys.readouterr().out.removeprefix("Metrics on ").strip())
    assert found[GAUGE] == f"{limit}.0"
