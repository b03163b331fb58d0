"""Creates on PostgreSQL: the trips of a batch to the server do not depend on its size."""

from __future__ import annotations

from typing import Any

import pytest
from servers import Database

from adapters.examples import NOW, add_preset
from adapters.statement_counts import counting_trips
from prebuilds.runtime import BuildRequest, Counter, Reconciler, ReconcilerOptions
from prebuilds.testing.clocks import ManualClock

pytest.importorskip("prebuilds.adapters.postgres")


class InstantBuilder:
    """Takes every build, and does nothing."""

    def submit(self, request: BuildRequest, template_version_id: str, **_: Any) -> None:
        pass


@pytest.mark.parametrize("count", [3, 100])
def test_a_batch_of_creates_is_three_trips(database: Database, count: int) -> None:
    """To begin, hold the lease and add the prebuilds; to commit; and to mark what the builder took."""
    store = database.make_store()
    with store.transaction() as tx:
        add_preset(tx, desired_instances=0)
    reconciler = Reconciler(store, InstantBuilder(), options=ReconcilerOptions(clock=ManualClock(NOW)))
    reconciler.reconcile_preset("p")  # the pool has made its connections
    with counting_trips() as idle:
        reconciler.reconcile_preset("p")
    with store.transaction() as tx:
        add_preset(tx, desired_instances=count)
    with counting_trips() as trips:
        assert len(reconciler.reconcile_preset("p").done) == count
    assert len(trips) - len(idle) == 3
    with store.transaction(read_only=True) as tx:
        assert [(entry.counter, entry.value) for entry in tx.list_counters()] == [(Counter.CREATED, count)]
