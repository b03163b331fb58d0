"""A claim over a connection of the host's own, which nothing of the store has set up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from runtime.world import World, make_preset
from servers import Database

from prebuilds.runtime.build_reports import make_change_message
from prebuilds.runtime.models import ClaimRequest

postgres = pytest.importorskip("prebuilds.adapters.postgres")
psycopg = pytest.importorskip("psycopg")
rows = pytest.importorskip("psycopg.rows")
single_calls = pytest.importorskip("prebuilds.adapters.postgres.connections.single_calls")
whole_claims = pytest.importorskip("prebuilds.adapters.postgres.tables.whole_claims")


class Lent:
    """A connection of the host's where a pool would be."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @contextmanager
    def lend(self) -> Iterator[Any]:
        yield self._connection


@pytest.mark.parametrize("options", [{}, {"autocommit": True}, {"prepare_threshold": 0}], ids=str)
def test_a_claim_works_over_a_connection_of_the_hosts(database: Database, options: dict[str, Any]) -> None:
    """However it makes rows, whatever its time zone, style of dates and search path: the host's settings stay as they
    were, and so does what it had committed. The claim is a transaction of its own.
    """
    world = World(make_preset(desired_instances=2), store=database.make_store())
    world.fill()
    settings = "-c timezone=Asia/Tokyo -c datestyle=German -c search_path=pg_catalog -c standard_conforming_strings=off"
    with psycopg.connect(database.dsn, options=settings, row_factory=rows.dict_row, **options) as connection:
        calls = single_calls.SingleCalls(Lent(connection), database.schema, postgres.Timeouts())
        before = show_settings(connection)
        taken = [claim(calls, world, name) for name in ("one", "two's \\ desk", "one")]
        assert connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
        assert show_settings(connection) == before
    assert None not in taken
    assert taken[0] == taken[2] != taken[1]
    with world.store.transaction(read_only=True) as tx:
        found = [tx.get_workspace(workspace_id).name for workspace_id in taken]  # type: ignore[union-attr]
    assert found == ["one", "two's \\ desk", "one"]


def show_settings(connection: Any) -> list[Any]:
    """What a claim sets for its own transaction, and what reading values depends on."""
    names = ("lock_timeout", "transaction_isolation", "search_path", "timezone", "datestyle")
    shown = [connection.execute(f"SHOW {name}").fetchone() for name in names]
    connection.rollback()
    return shown


def claim(calls: Any, world: World, name: str) -> str | None:
    """The workspace that a claim with this name, as its request id too, got."""
    request = ClaimRequest(preset_id="p", owner_id="u", name=name, request_id=name, claimed_at=world.clock.now())
    workspace = whole_claims.make_claim(calls, request, make_change_message("p")).workspace
    return workspace.id if workspace else None
