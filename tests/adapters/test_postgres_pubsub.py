"""The pubsub on PostgreSQL: the table is what counts, and a notification only makes it quick."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import pairwise
from queue import Queue
from time import monotonic
from typing import Any

import pytest
from servers import Database

from prebuilds import InvalidValueError
from prebuilds.errors import PublishInTransactionError, StoreClosedError, StoreUnavailableError
from prebuilds.runtime import Message, OutboxRelay

postgres = pytest.importorskip("prebuilds.adapters.postgres")

NEVER = timedelta(hours=1)  # so that only a notification, or a look at the start, can bring a message
OFTEN = timedelta(milliseconds=10)


def make_messages(*bodies: object, topic: str = "t") -> list[Message]:
    return [Message(topic=topic, body=str(body)) for body in bodies]


class Ear:
    """A listener; `take` waits for the messages it gets."""

    def __init__(self) -> None:
        self._heard: Queue[str] = Queue()

    def __call__(self, message: Message) -> None:
        self._heard.put(message.body)

    def take(self, count: int) -> list[str]:
        return [self._heard.get(timeout=30) for _ in range(count)]

    def is_empty(self) -> bool:
        return self._heard.empty()


@contextmanager
def opened(database: Database, **options: Any) -> Iterator[Any]:
    """A pubsub over a store of its own, as another process would have."""
    pubsub = postgres.PostgresPubSub(database.make_store(), **{"interval": NEVER, "retention": NEVER, **options})
    try:
        yield pubsub
    finally:
        pubsub.close()


def count_listeners(database: Database) -> int:
    """How many sessions of this test listen."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND query LIKE 'LISTEN%%'"
    with database.connect() as admin:
        (count,) = admin.execute(sql, (database.name,)).fetchone() or (0,)
    return int(count)


def count_notifications(connection: Any, *, expected: int) -> int:
    """How many have come, once there are as many as expected: they may come later than what they tell of."""
    come = list(connection.notifies(timeout=30, stop_after=expected))
    return len(come) + len(list(connection.notifies(timeout=0)))


def wait_for_listener(database: Database, but: int = 0) -> int:
    """The process of the session that listens, once there is one, and another than this."""
    sql = "SELECT pid FROM pg_stat_activity, pg_sleep(0.001) WHERE application_name = %s AND query LIKE 'LISTEN%%'"
    deadline = monotonic() + 30
    with database.connect() as admin:
        while not (row := admin.execute(sql, (database.name,)).fetchone()) or row[0] == but:
            assert monotonic() < deadline, "nobody listens"
    return int(row[0])


def test_a_notification_brings_messages_of_others_at_once(database: Database) -> None:
    """Long before the next look at the table; within a process it needs no notification."""
    with opened(database) as here, opened(database) as there:
        ear = Ear()
        here.subscribe("t", ear)
        wait_for_listener(database)
        for number in range(5):
            there.publish(Message(topic="t", body=str(number)))
            assert ear.take(1) == [str(number)]


def test_without_listening_messages_come_at_the_interval(database: Database) -> None:
    """It holds no session, so it works behind PgBouncer in transaction mode. Its own messages come at once."""
    with opened(database, listen=False, interval=OFTEN) as here, opened(database, listen=False) as there:
        ear, own = Ear(), Ear()
        here.subscribe("t", ear)
        there.subscribe("t", own)
        there.publish_all(make_messages(1, 2))
        assert (ear.take(2), own.take(2)) == (["1", "2"], ["1", "2"])
        assert count_listeners(database) == 0


def test_a_batch_is_one_notification(database: Database) -> None:
    """Any number of messages is one transaction. All arrive in their order, before later ones."""
    store = database.make_store()
    with opened(database) as pubsub, database.connect() as other:
        ear = Ear()
        pubsub.subscribe("t", ear)
        other.execute(f'LISTEN "{store.schema}"')
        pubsub.publish_all(make_messages(*range(2_500)))
        pubsub.publish_all(make_messages("last"))
        pubsub.publish_all([])
        assert ear.take(2_501) == [*map(str, range(2_500)), "last"]
        assert count_notifications(other, expected=2) == 2


def test_the_outbox_is_relayed_in_batches(database: Database) -> None:
    """A hundred messages of the outbox are one transaction of the pubsub, and one notification."""
    store = database.make_store()
    with store.transaction() as tx:
        for message in make_messages(*range(150)):
            tx.publish_on_commit(message)
    with opened(database) as pubsub, database.connect() as other:
        ear = Ear()
        pubsub.subscribe("t", ear)
        other.execute(f'LISTEN "{store.schema}"')
        assert OutboxRelay(store, pubsub).flush() == 150
        assert ear.take(150) == [*map(str, range(150))]
        assert count_notifications(other, expected=2) == 2


def test_a_listener_that_lost_its_connection_makes_another(database: Database) -> None:
    """The next read finds messages published meanwhile, and later ones arrive at once again."""
    with opened(database) as here, opened(database) as there:
        ear = Ear()
        here.subscribe("t", ear)
        session = wait_for_listener(database)
        for number in range(3):
            with database.connect() as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 5000)", (session,))
            there.publish(Message(topic="t", body=f"{number} while deaf"))
            assert ear.take(1) == [f"{number} while deaf"]
            session = wait_for_listener(database, but=session)
            there.publish(Message(topic="t", body=f"{number} again"))
            assert ear.take(1) == [f"{number} again"]


def test_a_listener_survives_the_loss_of_all_connections(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """It looks again until it can; nothing that was published is missed."""
    with opened(database, interval=OFTEN) as here, opened(database) as there:
        ear = Ear()
        here.subscribe("t", ear)
        wait_for_listener(database)
        there.publish_all(make_messages(1))
        assert ear.take(1) == ["1"]
        assert database.terminate() >= 2
        there.publish_all(make_messages(2))
        assert ear.take(1) == ["2"]
    assert "not listening" in caplog.text


def test_attempts_to_listen_back_off(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait doubles from a tenth of a second up to a minute. A success resets it."""
    from prebuilds.adapters.postgres.connections import wakeups

    now, attempts = [0.0], list[float]()

    def refuse(**_: object) -> None:
        attempts.append(now[0])
        raise psycopg.OperationalError("no")

    psycopg = pytest.importorskip("psycopg")
    monkeypatch.setattr(wakeups, "monotonic", lambda: now[0])
    listener = wakeups.WakeupChannel(database.make_store().parameters, "channel")
    with monkeypatch.context() as patch:
        patch.setattr(psycopg, "connect", refuse)
        while len(attempts) < 13:
            listener.connect()
            now[0] += 0.05
    gaps = [round(after - before, 1) for before, after in pairwise(attempts)]
    assert gaps[:4] == pytest.approx([0.1, 0.2, 0.4, 0.8], abs=0.11)
    assert gaps[-2:] == pytest.approx([60, 60], abs=0.11)
    now[0] += 60
    listener.connect()
    assert count_listeners(database) == 1
    listener.close()


def test_no_notice_appears_behind_one_that_was_seen(database: Database) -> None:
    """A publisher waits until those before it have committed, so that a listener that goes by numbers misses none."""
    bodies = [[f"{thread}-{number}" for number in range(30)] for thread in range(6)]
    with ExitStack() as stack:
        hearing = stack.enter_context(opened(database, interval=timedelta(milliseconds=1)))
        ear = Ear()
        hearing.subscribe("t", ear)

        def publish(own: list[str]) -> None:
            with opened(database, listen=False) as pubsub:
                for body in own:
                    pubsub.publish(Message(topic="t", body=body))

        threads = [threading.Thread(target=publish, args=(own,)) for own in bodies]
        for thread in threads:
            thread.start()
        heard = ear.take(180)
        for thread in threads:
            thread.join()
    assert sorted(heard) == sorted(body for own in bodies for body in own)
    assert [[body for body in heard if body in own] for own in bodies] == bodies


def test_what_was_published_before_is_not_heard(database: Database) -> None:
    """Neither by the first listener nor by a later one, even if another has yet to get the message."""
    with opened(database) as pubsub:
        pubsub.publish_all(make_messages("old"))
        first, second, other = Ear(), Ear(), Ear()
        end = pubsub.subscribe("t", first)
        pubsub.publish_all(make_messages("new"))
        assert first.take(1) == ["new"]
        pubsub.subscribe("t", second)
        pubsub.subscribe("u", other)
        end()
        pubsub.publish_all(make_messages("newer"))
        assert second.take(1) == ["newer"]
        assert first.is_empty()
        assert other.is_empty()


def test_old_notices_are_deleted_by_publishers(database: Database) -> None:
    """Notices older than the retention. Their numbers are never reused."""
    store = database.make_store()
    with opened(database) as pubsub:
        pubsub.publish_all(make_messages(1, 2, 3))
        with store.session() as statements:
            statements.write("UPDATE notices SET published_at = published_at - interval '2 hours' WHERE body <> '3'")
        pubsub.publish_all(make_messages(4))
        with store.session(read_only=True) as statements:
            assert statements.fetch("SELECT body, id FROM notices ORDER BY id") == [("3", 3), ("4", 4)]


def test_a_listener_that_fails_stops_nobody(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next listener and the next message come."""

    def fail(_: Message) -> None:
        raise ZeroDivisionError

    with opened(database) as pubsub:
        ear = Ear()
        pubsub.subscribe("t", fail)
        pubsub.subscribe("t", ear)
        pubsub.publish_all(make_messages(1, 2))
        assert ear.take(2) == ["1", "2"]
    assert [record.getMessage() for record in caplog.records] == ["a listener failed"] * 2


def test_publishing_inside_a_transaction_is_refused(database: Database) -> None:
    """Be it one message or a batch."""
    with opened(database) as pubsub, database.make_store().transaction():
        for publish in (lambda: pubsub.publish(Message(topic="t")), lambda: pubsub.publish_all([])):
            with pytest.raises(PublishInTransactionError):
                publish()  # noqa: PRB001 - it is refused


def test_what_cannot_be_published_raises(database: Database) -> None:
    """So that a relay keeps it; and a closed pubsub takes nothing."""
    store = database.make_store(timeouts=postgres.Timeouts(connection=timedelta(milliseconds=50)))
    pubsub = postgres.PostgresPubSub(store)
    heard = Ear()
    pubsub.subscribe("t", heard)
    store.parameters["port"] = "1"
    database.terminate()
    with pytest.raises(StoreUnavailableError):
        pubsub.publish(Message(topic="t"))
    pubsub.close()
    pubsub.close()
    calls: list[Callable[[], object]] = [
        lambda: pubsub.publish(Message(topic="t")),
        lambda: pubsub.subscribe("t", heard),
    ]
    for call in calls:
        with pytest.raises(StoreClosedError):
            call()


def test_it_can_be_closed_by_a_listener(database: Database) -> None:
    """Which does not wait for itself."""
    closed = threading.Event()
    with opened(database) as pubsub:

        def close(_: Message) -> None:
            pubsub.close()
            closed.set()

        pubsub.subscribe("t", close)
        pubsub.publish(Message(topic="t"))
        assert closed.wait(30)


@pytest.mark.parametrize(
    ("options", "field"),
    [({"interval": timedelta()}, "interval"), ({"interval": 1}, "interval"), ({"retention": OFTEN}, "retention")],
)
def test_options_that_cannot_be_are_refused(database: Database, options: dict[str, Any], field: str) -> None:
    """Notices must be kept for longer than it takes to look."""
    with pytest.raises(InvalidValueError, match=rf"PostgresPubSub\.{field}"):
        postgres.PostgresPubSub(database.make_store(), **options)
