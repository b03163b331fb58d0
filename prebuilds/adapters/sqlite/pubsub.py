"""Messages between processes, as rows of a table that every process reads at an interval.

- Each publish is a transaction of its own, over a connection of the store's pool.
- Only one transaction writes at a time, so notices are committed in the order of their numbers.
- Notices are kept for a while; a later publish deletes the old ones. A listener that is stuck for longer misses them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol

from prebuilds.adapters.listening import Notice
from prebuilds.adapters.sqlite.connections.statements import Statements
from prebuilds.adapters.sqlite.tables.rows import write_instant
from prebuilds.adapters.table_pubsub import TablePubSub, check_times
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.models import Message
from prebuilds.runtime.ports import Clock

_INTERVAL = timedelta(milliseconds=200)
_RETENTION = timedelta(minutes=10)


class Sessions(Protocol):
    """A `SQLiteStore`, as far as a pubsub uses it."""

    def session(self, *, read_only: bool) -> AbstractContextManager[Statements]:
        """The statements of a transaction."""
        ...


class NoticeFeed:
    """A `Feed` from the table of notices, read once per interval."""

    batch = 100

    def __init__(self, store: Sessions, *, interval: timedelta, clock: Clock) -> None:
        self._store = store
        self._interval = interval
        self._clock = clock
        self._wake = threading.Event()

    def find_last(self) -> int:
        """The number of the last notice that was ever written, deleted ones included."""
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
        self._wake.clear()  # what it was set for is committed, so the next read finds it

    def wake(self) -> None:
        self._wake.set()

    def close(self) -> None:
        """It holds nothing."""

    def begin_anew(self) -> None:
        self._wake = threading.Event()


class SQLitePubSub(TablePubSub):
    """A `PubSub` in the file of a store.

    Listeners get this process's messages at once, and those of other processes within `interval`. Notices are kept for
    `retention`. All listeners are called on one thread, which the first of them starts and `close` ends. A forked
    process goes on listening for everyone who had subscribed.
    """

    def __init__(
        self,
        store: Sessions,
        *,
        interval: timedelta = _INTERVAL,
        retention: timedelta = _RETENTION,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check_times("SQLitePubSub", interval, retention)
        feed = NoticeFeed(store, interval=interval, clock=clock)
        super().__init__(feed, name="prebuilds-sqlite-pubsub", retention=retention)
        self._store = store
        self._clock = clock

    def publish(self, message: Message) -> None:
        self._require_publishing()
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
