"""How often the loop goes to PostgreSQL and back, as libpq itself records what is sent and what is received."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from runtime.world import MINUTE, NOW, World, make_preset
from servers import Database

from adapters.test_postgres import wait_until
from prebuilds import BuildStatus
from prebuilds.adapters.postgres import PostgresStore, Timeouts
from prebuilds.errors import StoreUnavailableError
from prebuilds.runtime import ALL_PRESETS, Selection, Shard, select

SENT_OR_RECEIVED = re.compile(r"(?:\S+ \S+\t)?([FB])\t")


def count_trips(store: PostgresStore, path: Path, act: Callable[[], object]) -> int:
    """The trips of an act over the only connection of a store: how often something is sent after an answer."""
    with store._pool._get_pool().connection() as connection, path.open("w+b") as file:
        connection.pgconn.trace(file.fileno())
        try:
            # The act borrows this connection, which is given back first.
            store._pool._get_pool().putconn(connection)
            act()
            assert store._pool._get_pool().getconn() is connection
        finally:
            connection.pgconn.untrace()
    found = SENT_OR_RECEIVED.findall(path.read_text(errors="replace"))
    return sum(before == "B" and after == "F" for before, after in zip(["B", *found], found, strict=False))


def test_a_pass_with_nothing_to_do_is_three_trips(database: Database, tmp_path: Path) -> None:
    """Two to begin and read everything, and one to commit. The lease is kept from one pass to the next."""
    store = database.make_store(max_connections=1)
    world = World(make_preset(), make_preset(id="q"), store=store)
    world.fill()
    world.reconcile()
    assert count_trips(store, tmp_path / "one", lambda: world.reconciler.reconcile_preset("p")) == 3
    assert count_trips(store, tmp_path / "all", world.reconcile) == 3
    world.clock.advance(MINUTE)  # the lease is to be renewed
    assert count_trips(store, tmp_path / "renewed", world.reconcile) == 3 + 2


def test_creates_deletes_and_reports_are_three_trips_at_most(database: Database, tmp_path: Path) -> None:
    """Beside those of the pass that finds out. The builder says how each build went in one report."""
    store = database.make_store(max_connections=1)
    world = World(make_preset(desired_instances=3), store=store)
    world.fill()
    world.reconcile()  # has the lease now
    world.put(make_preset(desired_instances=0))
    assert count_trips(store, tmp_path / "deletes", world.reconcile) == 3 + 3
    world.builder.finish()
    world.put(make_preset(desired_instances=3))
    assert count_trips(store, tmp_path / "creates", world.reconcile) == 3 + 3
    one, two, three = [row.last_build.id for row in world.list_prebuilds()]
    for report, build_id in ((world.reports.succeed, one), (world.reports.fail, two), (world.reports.cancel, three)):
        path = tmp_path / build_id
        assert count_trips(store, path, lambda report=report, build_id=build_id: report(build_id)) == 3


def test_an_idle_transaction_is_limited_after_each_message(database: Database) -> None:
    """By the server, whatever the message was made of."""
    timeouts = Timeouts(idle=timedelta(milliseconds=150))
    world = World(make_preset(), store=database.make_store())  # of a store that is not in a hurry
    store = database.make_store(timeouts=timeouts)
    world.reconcile()
    (row, *_) = world.list_prebuilds()
    acts: tuple[Callable[[Any], object], ...] = (
        lambda tx: tx.get_workspace(row.id),
        lambda tx: tx.insert_deletes([], now=NOW),
        lambda tx: tx.finish_build(row.last_build.id, BuildStatus.FAILED, now=NOW),
        lambda tx: tx.list_counters(),
        lambda tx: tx.read_rows(),
    )
    for act in acts:
        with pytest.raises(StoreUnavailableError), store.transaction() as tx:  # noqa: PT012
            act(tx)
            wait_until(database, "state LIKE 'idle in%%'", holds=False)
    assert world.get(row.id) == row


def test_everything_is_read_in_two_trips(database: Database, tmp_path: Path) -> None:
    """The first begins too, and the third commits. Whatever is selected, with past builds and without."""
    store = database.make_store(max_connections=1)
    World(make_preset(), store=store).fill()
    for number, selection in enumerate((ALL_PRESETS, select("p", "q"), Selection(shard=Shard(index=0, count=2)))):
        for latest in (0, 3):

            def read(selection: Selection = selection, latest: int = latest) -> None:
                with store.transaction(read_only=True) as tx:
                    tx.read_rows(selection, ended_since=NOW if latest else None, latest=latest)

            assert count_trips(store, tmp_path / f"{number} {latest}", read) == 3


def test_the_server_hashes_as_python_does(database: Database) -> None:
    """The column of a preset and of its prebuilds, for any id. Otherwise two replicas would work on one preset."""
    store = database.make_store()
    presets = [make_preset(id=name, desired_instances=1) for name in ("p", "größe", "\U0001f600", "x" * 500, "a\\b'c")]
    World(*presets, store=store).fill()
    with store.transaction(read_only=True) as tx:
        for index in range(7):
            rows = tx.read_rows(Selection(shard=Shard(index=index, count=7)))
            own = [preset.id for preset in presets if Shard(index=index, count=7).has(preset.id)]
            assert sorted(preset.id for preset in rows.presets) == sorted(own)
            assert sorted(row.preset_id for row in rows.prebuilds) == sorted(own)


def test_a_changed_preset_stays_in_its_shard(database: Database) -> None:
    """The hash depends on the id alone."""
    store = database.make_store()
    world = World(make_preset(), store=store)
    world.put(attrs.evolve(make_preset(), desired_instances=7, name="new"))
    (shard,) = [each for index in range(5) if (each := Shard(index=index, count=5)).has("p")]
    with store.transaction(read_only=True) as tx:
        assert [preset.name for preset in tx.read_rows(Selection(shard=shard)).presets] == ["new"]
