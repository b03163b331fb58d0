"""Crashes at every statement: no claim is doubled or lost, and nothing is left behind."""

from __future__ import annotations

import pytest
from servers import Database

crash = pytest.importorskip("crash_postgres", reason="the extra `postgres` is not installed")


def test_one_fault_at_any_statement_breaks_nothing(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Sessions ended, processes killed, answers lost, at every statement of a pass and of a claim, and within a claim;
    and a claim between any two statements of a pass. `nox -s crash` goes through several at once, in more than 10,000
    schedules.
    """
    caplog.set_level("CRITICAL")
    with crash.open_world(database) as (world, reconcile, claim):
        schedules = list(crash.list_single(reconcile, claim))
        for schedule in schedules:
            world.run(schedule)
    inside = len(crash.INSIDE) * claim
    assert world.ended_inside == inside
    assert len(schedules) == 2 * (2 * reconcile + 2 * claim) + reconcile + inside > 40
