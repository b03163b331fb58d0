"""Messages between processes, as rows of a table that every process reads at an interval.

- The table is what counts. NOTIFY only wakes those who LISTEN, once for all messages of a publish. If it is lost, the
  next read finds every message.
- Each publish is a transaction of its own, over a connection of the store's pool, and so is each read.
- Notices are kept for a while; a later publish deletes the old ones. A listener that is cut off for longer misses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol

from prebuilds.adapters.listening import Notice
from prebuilds.adapters.postgres.connections.statements import Statements
from prebuilds.adapters.postgres.connections.wakeups import WakeupChannel
from prebuilds.adapters.postgres.tables.notices import BATCH, find_last, insert_notices, list_notices
from prebuilds.adapters.table_pubsub import TablePubSub, check_times
from prebuilds.runtime.models import Message

_INTERVAL = timedelta(seconds=1)
_RETENTION = timedelta(minutes=10)


class Sessions(Protocol):
    """A `PostgresStore`, as far as a pubsub uses it."""

    parameters: dict[str, Any]
    schema: str

    def session(self, *, read_only: bool = False) -> AbstractContextManager[Statements]:
        """The statements of a transaction."""
        ...


class NoticeFeed:
    """A `Feed` from the table of notices, read on each wakeup and once per interval."""

    batch = BATCH

    def __init__(self, store: Sessions, *, interval: timedelta, listen: bool) -> None:
        self._store = store
        self._seconds = interval.total_seconds()
        self._channel = WakeupChannel(store.parameters if listen else None, store.schema)
        self.wake = self._channel.wake
        self.close = self._channel.close
        self.begin_anew = self._channel.begin_anew

    def find_last(self) -> int:
        with self._store.session(read_only=True) as statements:
            return find_last(statements)

    def read(self, after: int) -> Sequence[Notice]:
        self._channel.connect()  # before reading, so that a later message wakes the next wait
        with self._store.session(read_only=True) as statements:
            return list_notices(statements, after)

    def wait(self, doublings: int) -> None:
        self._channel.wait(self._seconds * 2**doublings)


class PostgresPubSub(TablePubSub):
    """A `PubSub` in the schema of a store.

    Listeners get this process's messages at once. With `listen` they get those of other processes at once too, and
    otherwise within `interval`. Listening takes one connection beside those of the store, and a session of its own:
    turn it off behind PgBouncer in transaction mode. Notices are kept for `retention`. Both times are timedeltas.

    All listeners are called on one thread, which the first of them starts and `close` ends. A forked process goes on
    listening for everyone who had subscribed, over a connection of its own.
    """

    def __init__(
        self,
        store: Sessions,
        *,
        listen: bool = True,
        interval: timedelta = _INTERVAL,
        retention: timedelta = _RETENTION,
    ) -> None:
        check_times("PostgresPubSub", interval, retention)
        feed = NoticeFeed(store, interval=interval, listen=listen)
        super().__init__(feed, name="prebuilds-postgres-pubsub", retention=retention)
        self._store = store

    def publish(self, message: Message) -> None:
        self.publish_all((message,))

    def publish_all(self, messages: Sequence[Message]) -> None:
        """Send messages in their order, in one transaction: all of them, or none if it raises."""
        self._require_publishing()
        if messages:
            with self._store.session() as statements:
                insert_notices(statements, messages, retention=self._retention)
            self._feed.wake()
