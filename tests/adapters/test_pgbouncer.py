"""The store over PgBouncer in transaction mode, where each transaction may get another session of the server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from queue import Queue
from typing import Any

import pytest
from runtime.world import World, make_preset
from servers import Database

from prebuilds import Preset
from prebuilds.adapters.local import LocalBuilder
from prebuilds.runtime import SYSTEM_CLOCK, Claims, Message, OutboxRelay, Reconciler
from prebuilds.testing import check_claims, check_store

postgres = pytest.importorskip("prebuilds.adapters.postgres")
pgbouncer = pytest.importorskip("pgbouncer")

CLIENTS = 16  # connections of a store, and as many users; PgBouncer has three for all of them
TIMEOUT = timedelta(milliseconds=50)
OFTEN = timedelta(milliseconds=10)
NEVER = timedelta(hours=1)


@pytest.fixture(scope="module")
def bouncer_dsn(postgres_dsn: str) -> Iterator[str]:
    program = pgbouncer.find_pgbouncer()
    if program is None:
        pytest.skip("there is no pgbouncer: install Debian's package of this name")
    with pgbouncer.run_pgbouncer(program, postgres_dsn) as dsn:
        yield dsn


@pytest.fixture
def bounced(bouncer_dsn: str) -> Iterator[Database]:
    """Schemas of the server behind it."""
    database = Database(bouncer_dsn)
    yield database
    database.close()


def test_sessions_change_from_one_transaction_to_the_next(bounced: Database) -> None:
    """So these tests would notice anything that a session kept: a connection has another process of the server."""
    with bounced.connect() as one, bounced.connect() as two:
        one.execute("BEGIN")
        first = one.execute("SELECT pg_backend_pid()").fetchone()
        with two.transaction():
            second = two.execute("SELECT pg_backend_pid()").fetchone()
        one.execute("COMMIT")
        with two.transaction(), one.transaction():
            pids = {
                two.execute("SELECT pg_backend_pid()").fetchone(),
                one.execute("SELECT pg_backend_pid()").fetchone(),
            }
    assert first != second
    assert pids == {first, second}


def test_the_contract_holds(bounced: Database) -> None:
    """Every rule of the ports and of claims, as over a direct connection."""
    timeouts = postgres.Timeouts(connection=2 * TIMEOUT, lock=TIMEOUT)

    def make_store() -> Any:
        return bounced.make_new_store(max_connections=3, timeouts=timeouts)

    assert check_store(make_store).lacking == check_claims(make_store).lacking == ()


def test_many_users_share_few_sessions(bounced: Database) -> None:
    """Each prebuild is claimed once, while the loop creates others for them."""
    store = bounced.make_store(max_connections=CLIENTS)
    world = World(make_preset(desired_instances=2 * CLIENTS), store=store)
    world.fill()
    claims = Claims(store, clock=world.clock)

    def claim(user: int) -> str:
        workspace = claims.claim("p", owner_id=f"user {user}", name="desk", request_id=str(user)).workspace
        return workspace.id if workspace else "none"

    with ThreadPoolExecutor(CLIENTS) as executor:
        taken = executor.map(claim, range(CLIENTS))
        world.reconcile()
    assert len({*taken} - {"none"}) == CLIENTS
    world.fill()
    assert len(world.list_prebuilds()) == 2 * CLIENTS


def test_the_loop_hears_of_claims_without_listening(bounced: Database) -> None:
    """`PostgresPubSub(listen=False)` reads the table of messages, so it needs no session of its own."""
    store = bounced.make_store(max_connections=CLIENTS)
    heard = postgres.PostgresPubSub(store, listen=False, interval=OFTEN)
    _claim_and_refill(bounced, heard)


def test_the_loop_listens_over_a_direct_connection(bounced: Database, postgres_dsn: str) -> None:
    """LISTEN needs a session, so the store of the pubsub goes round PgBouncer."""
    bounced.make_store()
    with postgres.PostgresStore(postgres_dsn, schema=bounced.schema, max_connections=2) as direct:
        _claim_and_refill(bounced, postgres.PostgresPubSub(direct, interval=NEVER, retention=NEVER))


def test_messages_arrive_within_the_interval_where_listen_is_left_on(bounced: Database) -> None:
    """A mistake in the settings costs time alone: NOTIFY reaches another client's session, and the table is read."""
    heard: Queue[Message] = Queue()
    with (
        closing(postgres.PostgresPubSub(bounced.make_store(), interval=OFTEN)) as pubsub,
        closing(postgres.PostgresPubSub(bounced.make_store(), listen=False)) as other,
    ):
        pubsub.subscribe("t", heard.put)
        other.publish(Message(topic="t", body="b"))
        assert heard.get(timeout=30) == Message(topic="t", body="b")


def _claim_and_refill(bounced: Database, pubsub: Any) -> None:
    """A loop at work, in a thread, fills a pool again after each claim."""
    store = bounced.make_store(max_connections=CLIENTS)
    relay = OutboxRelay(store, pubsub)
    with store.transaction() as tx:
        tx.put_preset(Preset(id="p", desired_instances=2))
    builder = LocalBuilder(store, clock=SYSTEM_CLOCK, delay=timedelta(), relay=relay)
    reconciler = Reconciler(store, builder, pubsub=pubsub)
    threads = [threading.Thread(target=reconciler.run), threading.Thread(target=builder.run)]
    for thread in threads:
        thread.start()
    try:
        claims = Claims(store, relay=relay)
        taken = {_claim(claims, number) for number in range(6)}
    finally:
        reconciler.stop()
        builder.stop()
        for thread in threads:
            thread.join(timeout=30)
        pubsub.close()
    assert len(taken) == 6  # more than there were at first


def _claim(claims: Claims, number: int) -> str:
    """Ask until there is one again."""
    while True:
        workspace = claims.claim("p", owner_id="u", name=str(number), request_id=str(number)).workspace
        if workspace:
            return workspace.id
