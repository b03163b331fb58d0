"""The SQLite pubsub: which listeners get which messages, and how long notices are kept."""

from __future__ import annotations

import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.examples import NOW
from prebuilds import InvalidValueError
from prebuilds.adapters.sqlite import SQLitePubSub, SQLiteStore
from prebuilds.errors import PoolExhaustedError, PublishInTransactionError, StoreBusyError, StoreClosedError
from prebuilds.runtime.models import Message
from prebuilds.runtime.publishing.relays import OutboxRelay
from prebuilds.testing.clocks import ManualClock

SOON = timedelta(milliseconds=5)
NEVER = timedelta(days=1)  # an interval by which only what this process publishes is heard
MINUTE = timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(path, survives_power_loss=False) as store:
        yield store


class Inbox:
    """Keeps what a listener hears, and waits for it."""

    def __init__(self) -> None:
        self._messages: queue.Queue[Message] = queue.Queue()

    def __call__(self, message: Message) -> None:
        self._messages.put(message)

    def receive(self, count: int) -> list[str]:
        return [self._messages.get(timeout=60).body for _ in range(count)]


def make_message(body: str) -> Message:
    return Message(topic="t", body=body)


def list_notices(store: SQLiteStore) -> list[str]:
    with store.session(read_only=True) as statements:
        return [body for (body,) in statements.fetch("SELECT body FROM notices ORDER BY id")]


def test_what_this_process_publishes_is_heard_at_once(store: SQLiteStore) -> None:
    """However long the interval."""
    inbox, pubsub = Inbox(), SQLitePubSub(store, interval=NEVER, retention=NEVER)
    pubsub.subscribe("t", inbox)
    for number in range(250):  # more than are read at once
        pubsub.publish(make_message(str(number)))
    assert inbox.receive(250) == [str(number) for number in range(250)]
    pubsub.close()


def test_what_another_process_publishes_is_heard(path: Path, store: SQLiteStore) -> None:
    """By looking at the file now and then."""
    inbox, pubsub = Inbox(), SQLitePubSub(store, interval=SOON)
    pubsub.subscribe("t", inbox)
    code = """
import sys
from prebuilds.adapters.sqlite import SQLitePubSub, SQLiteStore
from prebuilds.runtime.models import Message
with SQLiteStore(sys.argv[1]) as store:
    for body in ("one", "two"):
        SQLitePubSub(store).publish(Message(topic="t", body=body))
"""
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)
    assert inbox.receive(2) == ["one", "two"]
    pubsub.close()


def test_the_outbox_is_relayed_to_other_processes(path: Path, store: SQLiteStore) -> None:
    """What a transaction hands over is heard through another store of the file."""
    with SQLiteStore(path) as other:
        inbox, pubsub = Inbox(), SQLitePubSub(other, interval=SOON)
        pubsub.subscribe("t", inbox)
        with store.transaction() as tx:
            tx.publish_on_commit(make_message("one"))
        assert OutboxRelay(store, SQLitePubSub(store)).flush() == 1
        assert inbox.receive(1) == ["one"]
        pubsub.close()


def test_old_notices_are_deleted(store: SQLiteStore) -> None:
    """By the next publish after the retention. A notice exactly as old as the retention is kept."""
    clock = ManualClock(NOW)
    pubsub = SQLitePubSub(store, retention=MINUTE, clock=clock)
    for body in ("one", "two", "three"):
        pubsub.publish(make_message(body))
        clock.advance(MINUTE / 2)
    assert list_notices(store) == ["one", "two", "three"]
    pubsub.publish(make_message("four"))
    assert list_notices(store) == ["two", "three", "four"]


def test_a_new_listener_hears_what_is_published_after_all_has_been_deleted(store: SQLiteStore) -> None:
    """Numbers are never reused: a notice with an old number would seem to have been delivered."""
    inbox, pubsub = Inbox(), SQLitePubSub(store, interval=NEVER, retention=NEVER)
    for body in ("one", "two"):
        pubsub.publish(make_message(body))
    with store.session(read_only=False) as statements:
        statements.run("DELETE FROM notices")
    pubsub.subscribe("t", inbox)
    pubsub.publish(make_message("three"))
    assert inbox.receive(1) == ["three"]
    pubsub.close()


def test_each_listener_hears_from_its_subscription_on(store: SQLiteStore) -> None:
    """It gets no earlier message, even if others have yet to get it."""
    early, late, blocked = Inbox(), Inbox(), threading.Event()
    pubsub = SQLitePubSub(store, interval=NEVER, retention=NEVER)
    pubsub.subscribe("t", lambda _: blocked.wait(timeout=60) and None)
    pubsub.subscribe("t", early)
    pubsub.publish(make_message("one"))
    pubsub.publish(make_message("two"))
    pubsub.subscribe("t", late)
    pubsub.publish(make_message("three"))
    blocked.set()
    assert early.receive(3) == ["one", "two", "three"]
    assert late.receive(1) == ["three"]
    pubsub.close()


def test_publishing_takes_a_connection_of_the_store(path: Path) -> None:
    """Forced inside a transaction, it finds no connection or waits for itself, with a pool of any size."""
    for max_connections, error in ((1, PoolExhaustedError), (4, StoreBusyError)):
        with SQLiteStore(path, max_connections=max_connections, timeout=timedelta()) as store:
            pubsub = SQLitePubSub(store)
            with store.transaction(), pytest.raises(PublishInTransactionError):
                pubsub.publish(make_message("refused"))  # noqa: PRB001
            with store.transaction(), pytest.MonkeyPatch.context() as patch:
                patch.setattr("prebuilds.adapters.table_pubsub.refuse_in_transaction", lambda: None)
                with pytest.raises(error):
                    pubsub.publish(make_message("forced"))  # noqa: PRB001
            pubsub.publish(make_message("after"))
            assert list_notices(store)[-1] == "after"


def test_a_read_that_fails_is_tried_again(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and nothing is missed."""
    inbox, pubsub = Inbox(), SQLitePubSub(store, interval=SOON)
    read, errors = pubsub._feed.read, [PoolExhaustedError(8, 10.0), StoreBusyError(10.0)]

    def fail(after: int) -> Any:
        if errors:
            raise errors.pop()
        return read(after)

    monkeypatch.setattr(pubsub._feed, "read", fail)
    with caplog.at_level(logging.ERROR):
        pubsub.subscribe("t", inbox)
        pubsub.publish(make_message("one"))
        assert inbox.receive(1) == ["one"]
    assert [record.message for record in caplog.records] == [
        "notices not read: StoreBusyError: the store was held by other writers for 10 s",
        "notices not read: PoolExhaustedError: none of 8 connections became free within 10 s",
    ]
    assert [record.exc_info for record in caplog.records] == [None, None]
    pubsub.close()


def test_closing_ends_the_thread(store: SQLiteStore) -> None:
    """At once, and from a listener too; after it nothing is published or subscribed to. Closing again does nothing."""
    pubsub, closed = SQLitePubSub(store, interval=NEVER, retention=NEVER), threading.Event()

    def close(_: Message) -> None:
        pubsub.close()
        closed.set()

    pubsub.subscribe("t", close)
    pubsub.publish(make_message("one"))
    assert closed.wait(timeout=60)
    pubsub.close()
    assert "prebuilds-sqlite-pubsub" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(StoreClosedError):
        pubsub.publish(make_message("two"))
    with pytest.raises(StoreClosedError):
        pubsub.subscribe("t", close)


def test_the_thread_ends_with_the_store(store: SQLiteStore, caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing to read any more, and nothing to complain of."""
    pubsub = SQLitePubSub(store, interval=SOON)
    pubsub.subscribe("t", Inbox())
    thread = pubsub._listening._thread
    assert thread
    store.close()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert caplog.records == []
    pubsub.close()


@pytest.mark.parametrize(
    ("argument", "value"), [("interval", timedelta()), ("interval", 1), ("retention", timedelta(milliseconds=1))]
)
def test_wrong_arguments_are_refused(store: SQLiteStore, argument: str, value: Any) -> None:
    """A notice must be kept until every listener has read at least once."""
    with pytest.raises(InvalidValueError, match=rf"SQLitePubSub\.{argument}: "):
        SQLitePubSub(store, **{argument: value})
