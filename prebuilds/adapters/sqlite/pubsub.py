"""Messages between processes, as rows of a table that every process looks at now and then.

- Publishing is a transaction of its own, over a connection of the store's pool.
- Only one transaction writes at a time, so notices are committed in the order of their numbers.
- A notice is kept for a while and then deleted by whoever publishes next. A listener that is stuck for longer than that
  misses what was deleted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from prebuilds.adapters.listening import Listening, Notice
from prebuilds.adapters.sqlite.store import SQLiteStore
from prebuilds.adapters.sqlite.tables.rows import write_instant
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.models import Message
from prebuilds.runtime.ports import Clock
from prebuilds.runtime.publishing.guard import refuse_in_transaction

_INTERVAL = timedelta(milliseconds=200)
_RETENTION = timedelta(minutes=10)


class NoticeTable:
    """A `Feed` from the table of notices, which is looked at once in an interval."""

    batch = 100

    def __init__(self, store: SQLiteStore, *, interval: timedelta, clock: Clock) -> None:
        self._store = store
        self._interval = interval
        self._clock = clock
        self._wake = threading.Event()

    def find_last(self) -> int:
        """The number of the last notice that there ever was; those that were deleted count too."""
        with self._store.session(read_only=True) as statements:
            row = statements.fetch_one("SELECT seq FROM sqlite_sequence WHERE name = 'notices'")
        return int(row[0]) if row else 0

    def read(self, after: int) -> Sequence[Notice]:
        sql = "SELECT id, topic, body FROM notices WHERE id > ? ORDER BY id LIMIT ?"
        with self._store.session(read_only=True) as statements:
            rows = statements.fetch(sql, after, self.batch)
        return [Notice(number, Message(topic=topic, body=body)) for number, topic, body in rows]

    def wait(self, doublings: int) -> None:
        self._clock.wait(self._wake, self._interval * 2**doublings)
        self._wake.clear()  # what it was set for is committed, and so will be read now

    def wake(self) -> None:
        self._wake.set()

    def close(self) -> None:
        """It holds nothing."""

    def begin_anew(self) -> None:
        self._wake = threading.Event()


class SQLitePubSub:
    """A `PubSub` in the file of a store.

    What this process publishes comes to its own listeners at once, what others publish within `interval`. Notices are
    kept for `retention`. Listeners are called on one thread, which begins with the first of them; `close` ends it. A
    process that is forked off goes on listening, for all who had subscribed.
    """

    def __init__(
        self,
        store: SQLiteStore,
        *,
        interval: timedelta = _INTERVAL,
        retention: timedelta = _RETENTION,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not isinstance(interval, timedelta) or interval <= timedelta():
            raise InvalidValueError("SQLitePubSub", "interval", interval, "a timedelta of more than 0")
        if not isinstance(retention, timedelta) or retention < interval:
            raise InvalidValueError("SQLitePubSub", "retention", retention, "a timedelta no shorter than the interval")
        self._store = store
        self._retention = retention
        self._clock = clock
        self._feed = NoticeTable(store, interval=interval, clock=clock)
        self._listening = Listening(self._feed, name="prebuilds-sqlite-pubsub")

    def publish(self, message: Message) -> None:
        refuse_in_transaction()
        self._listening.require_open()
        now = self._clock.now()
        with self._store.session(read_only=False) as statements:
            statements.run("DELETE FROM notices WHERE published_at < ?", write_instant("now", now - self._retention))
            statements.run(
                "INSERT INTO notices (topic, body, published_at) VALUES (?, ?, ?)",
                message.topic,
                message.body,
                write_instant("now", now),
            )
        self._feed.wake()

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        return self._listening.subscribe(topic, listener)

    def close(self) -> None:
        """Stop listening, and wait for a listener that is at it, unless it is the one who closes."""
        self._listening.close()
