"""Counts of claims by the minute: kept with the claim, read as traces, and forgotten after a while."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
from adapters.lacking import LackingStore

from prebuilds.adapters.memory import MemoryStore
from prebuilds.errors import InvalidTraceError, InvalidValueError
from prebuilds.runtime import ClaimCount, ReconcilerOptions
from prebuilds.runtime.loop.timing.claim_pruning import ClaimPruning
from prebuilds.runtime.ports import Capability, Store
from prebuilds.whatif import Trace, read_traces
from runtime.world import NOW, World, make_preset

WEEK = timedelta(weeks=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def note(store: Store, *claims: tuple[str, datetime, bool]) -> None:
    with store.transaction() as tx:
        for preset_id, at, is_hit in claims:
            tx.note_claim(preset_id, at, is_hit=is_hit)


def list_counts(store: Store) -> list[ClaimCount]:
    with store.transaction(read_only=True) as tx:
        return list(tx.list_claim_counts())


def test_hits_and_misses_are_counted_with_the_claims() -> None:
    world = World(make_preset(desired_instances=1))
    world.fill()
    for name in ("a", "b", "c"):
        world.claim(name)
    minute = world.clock.now().replace(second=0, microsecond=0)
    assert list_counts(world.store) == [ClaimCount(preset_id="p", minute=minute, hits=1, misses=2)]


def test_old_counts_are_deleted_once_an_hour_and_at_the_end() -> None:
    """Those of the last eight weeks are kept, or as long as the option says."""
    world = World(claims_kept=2 * WEEK)
    pruning = ClaimPruning(world.store, world.options)
    note(world.store, ("p", NOW - 2 * WEEK, True), ("p", NOW - 2 * WEEK + HOUR, True), ("p", NOW, False))
    world.clock.advance(HOUR - SECOND)
    pruning.prune_if_due()
    assert len(list_counts(world.store)) == 3
    world.clock.advance(SECOND)
    pruning.prune_if_due()
    assert [count.minute for count in list_counts(world.store)] == [NOW - 2 * WEEK + HOUR, NOW]
    world.clock.advance(SECOND)
    pruning.prune_if_due()
    assert len(list_counts(world.store)) == 2
    world.reconcile()
    world.reconciler.stop()
    world.reconciler.run()
    assert [count.minute for count in list_counts(world.store)] == [NOW]
    assert ReconcilerOptions().claims_kept == 8 * WEEK


def test_the_loop_deletes_old_counts() -> None:
    """While it leads, whether or not there is something to do."""
    world = World(interval=timedelta(milliseconds=10))
    note(world.store, ("p", NOW - 9 * WEEK, True))
    world.reconcile()
    world.clock.advance(HOUR)
    loop = threading.Thread(target=world.reconciler.run, daemon=True)
    loop.start()
    while list_counts(world.store):
        assert loop.is_alive()
    world.reconciler.stop()
    loop.join()


def test_a_failure_to_delete_is_logged_and_stops_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    pruning = ClaimPruning(world.store, world.options)
    world.clock.advance(HOUR)

    def fail(*_: Any, **__: Any) -> None:
        raise TimeoutError("no answer")

    monkeypatch.setattr("prebuilds.adapters.memory.capabilities.MemoryRows.prune_claim_counts", fail)
    with caplog.at_level(logging.WARNING, logger="prebuilds"):
        pruning.prune_if_due()
    (message,) = caplog.messages
    assert message.startswith("old counts of claims were not deleted: TimeoutError: no answer")


def test_a_store_that_counts_none_is_left_alone() -> None:
    world = World(store=LackingStore(Capability.CLAIM_COUNTS))
    pruning = ClaimPruning(world.store, world.options)
    world.clock.advance(2 * HOUR)
    pruning.prune_if_due()
    with pytest.raises(InvalidTraceError, match="no claims"):
        read_traces(world.store)


def test_counts_are_read_as_traces_of_one_span() -> None:
    """Spread over their minutes, hits and misses alike."""
    store, minute = MemoryStore(), timedelta(minutes=1)
    note(store, ("web", NOW + SECOND, True), ("web", NOW + 2 * SECOND, False), ("gpu", NOW + 9 * minute, True))
    begin, end = NOW, NOW + 10 * minute
    assert read_traces(store) == {
        "gpu": Trace.from_claims([NOW + 9 * minute + 30 * SECOND], begin=begin, end=end),
        "web": Trace.from_claims([NOW + 15 * SECOND, NOW + 45 * SECOND], begin=begin, end=end),
    }
    wide = read_traces(store, begin=NOW - HOUR, end=NOW + HOUR)
    assert {(trace.begin, trace.end) for trace in wide.values()} == {(NOW - HOUR, NOW + HOUR)}


def test_the_option_must_be_a_duration() -> None:
    with pytest.raises(InvalidValueError, match=r"ReconcilerOptions\.claims_kept"):
        attrs.evolve(ReconcilerOptions(), claims_kept=-HOUR)
