"""Stores and pubsubs in processes that are forked off, while their parent is in the middle of anything."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from servers import Database

from adapters.forks import needs_fork, run_forking

pytestmark = needs_fork

POSTGRES = """
from prebuilds.adapters.postgres import PostgresPubSub as PubSub, PostgresStore
store = PostgresStore(sys.argv[1], schema=sys.argv[2])
"""
SQLITE = """
from prebuilds.adapters.sqlite import SQLitePubSub as PubSub, SQLiteStore
store = SQLiteStore(sys.argv[1])
"""
# A notice is published by the child while the parent's own thread is busy with a listener, then by the parent.
PUBSUBS = """
from datetime import timedelta
from queue import Queue
from prebuilds.runtime import Message

INTERVAL = timedelta(hours=1) if sys.argv[2:] else timedelta(milliseconds=5)
pubsub, other = (PubSub(store, interval=INTERVAL, retention=timedelta(days=1)) for _ in range(2))
inherited = Queue()
pubsub.subscribe("t", lambda message: inherited.put(message.body))

def publish(body):
    other.publish(Message(topic="t", body=body))

def hear(queue, *bodies):
    heard = {queue.get(timeout=15)}
    while not heard >= set(bodies):  # what was on its way at the fork may come twice
        heard.add(queue.get(timeout=15))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def program(request: pytest.FixtureRequest) -> tuple[str, list[str]]:
    """The beginning of a program that has a store, and the arguments that it takes."""
    if request.param == "sqlite":
        path: Path = request.getfixturevalue("tmp_path") / "store.db"
        return SQLITE, [str(path)]
    database: Database = request.getfixturevalue("database")
    return POSTGRES, [database.dsn, database.make_store().schema]


def test_subscriptions_go_on_in_a_child(program: tuple[str, list[str]]) -> None:
    """What the parent subscribed to is heard in the child too, and in the parent as before."""
    code = """
    def do():
        hear(inherited, "parent")
        publish("child")
        hear(inherited, "child")

    publish("before")
    hear(inherited, "before")
    child = fork(do)
    publish("parent")
    hear(inherited, "parent", "child")
    wait_for(child)
    publish("after")
    hear(inherited, "after")
    pubsub.close()
    """
    run_program(program, code)


def test_a_child_may_subscribe_while_its_parent_does(program: tuple[str, list[str]]) -> None:
    """A lock that is held while forking is not waited for; the child closes its own pubsub, and the parent hears on."""
    code = """
    def do():
        own = Queue()
        pubsub.subscribe("t", lambda message: own.put(message.body))
        publish("child")
        hear(own, "child")
        pubsub.close()

    with pubsub._listening._lock:
        child = fork(do)
    hear(inherited, "child")
    wait_for(child)
    publish("parent")
    hear(inherited, "parent")
    pubsub.close()
    """
    run_program(program, code)


def test_a_child_of_a_listener_listens_once(program: tuple[str, list[str]]) -> None:
    """The thread that forks comes along, so no other takes its place; a closed pubsub stays closed."""
    code = """
    import threading
    pubsub.close()
    children, names = Queue(), Queue()
    forking = PubSub(store, interval=INTERVAL, retention=timedelta(days=1))

    def listen(message):
        if message.body == "fork":
            child = os.fork()
            if child:
                children.put(child)
        elif message.body == "count":
            os.write(1, b"%d\\n" % sum("pubsub" in thread.name for thread in threading.enumerate()))
            if children.empty():
                os._exit(0)
            names.put("counted")

    forking.subscribe("t", listen)
    publish("fork")
    child = children.get(timeout=15)
    children.put(child)
    publish("count")
    names.get(timeout=15)
    wait_for(child)
    forking.close()
    """
    assert run_program(program, code) == ["1", "1"]


def test_a_child_takes_no_lock_of_its_parent(database: Database) -> None:
    """Neither the store's nor that of psycopg's pool, as the threads that would release them are not there."""
    code = """
    def is_paused():
        with store.transaction() as tx:
            assert tx.read_rows().is_paused is False

    is_paused()
    pool = store._pool
    with pool._lock, pool._pool._lock:
        children = [fork(is_paused) for _ in range(2)]
    for child in children:
        wait_for(child)
    is_paused()
    store.close()
    """
    run_forking(POSTGRES + dedent(code), database.dsn, database.make_store().schema)


def test_a_child_never_ends_what_its_parent_has_open(database: Database) -> None:
    """It neither runs a statement in it, nor commits it, nor gives the connection back; its own transactions work."""
    code = """
    from contextvars import Context
    from prebuilds.errors import ForkedStoreError

    def write():
        with store.transaction() as tx:
            tx.add_membership("child")

    def refuse(do, *arguments):
        try:
            do(*arguments)
        except ForkedStoreError as error:
            print(error)
        else:
            raise AssertionError(do)

    block = store.transaction()
    tx = block.__enter__()
    tx.add_membership("parent")
    def do():
        refuse(tx.add_membership, "nobody")
        refuse(block.__exit__, None, None, None)
        Context().run(write)
        store.close()

    wait_for(fork(do))
    tx.add_membership("parent too")
    block.__exit__(None, None, None)
    """
    store = database.make_store()
    told = run_forking(POSTGRES + dedent(code), database.dsn, store.schema)
    assert (
        told == ["the store was in use when this process was forked; fork while none of its transactions is open"] * 2
    )
    with store.transaction() as tx:
        assert sorted(tx.read_rows().memberships) == ["child", "parent", "parent too"]


def test_a_child_of_a_closed_store_has_a_closed_one(database: Database) -> None:
    """Forking opens nothing."""
    code = """
    from prebuilds.errors import StoreClosedError

    def do():
        try:
            store.transaction().__enter__()
        except StoreClosedError:
            print("closed")

    store.close()
    wait_for(fork(do))
    """
    assert run_forking(POSTGRES + dedent(code), database.dsn, database.make_store().schema) == ["closed"]


def run_program(program: tuple[str, list[str]], code: str) -> list[str]:
    beginning, arguments = program
    return run_forking(beginning + PUBSUBS + dedent(code), *arguments)
