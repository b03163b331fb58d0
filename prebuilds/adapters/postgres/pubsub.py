"""Messages between processes, as rows of a table that every process looks at now and then.

- What counts is the table. NOTIFY only tells those who LISTEN to look at once, one time for all that is published
  together; whatever becomes of it, every message is found at the next look.
- Publishing is a transaction of its own, over a connection of the store's pool, and so is every look.
- A notice is kept for a while and then deleted by whoever publishes next. A listener that is cut off for longer than
  that misses what was deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from prebuilds.adapters.listening import Listening, Notice
from prebuilds.adapters.postgres.connections.notices import BATCH, find_last, insert_notices, list_notices
from prebuilds.adapters.postgres.hints import Hints
from prebuilds.adapters.postgres.store import PostgresStore
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.models import Message
from prebuilds.runtime.publishing.guard import refuse_in_transaction

_INTERVAL = timedelta(seconds=1)
_RETENTION = timedelta(minutes=10)


class HintedTable:
    """A `Feed` from the table of notices, which is looked at when there is a hint, and once in an interval."""

    batch = BATCH

    def __init__(self, store: PostgresStore, *, interval: timedelta, listen: bool) -> None:
        self._store = store
        self._seconds = interval.total_seconds()
        self._hints = Hints(store.parameters if listen else None, store.schema)
        self.wake = self._hints.give
        self.close = self._hints.close
        self.begin_anew = self._hints.begin_anew

    def find_last(self) -> int:
        with self._store.session(read_only=True) as statements:
            return find_last(statements)

    def read(self, after: int) -> Sequence[Notice]:
        self._hints.prepare()  # before looking, so that what comes after the look is hinted at
        with self._store.session(read_only=True) as statements:
            return list_notices(statements, after)

    def wait(self, doublings: int) -> None:
        self._hints.wait(self._seconds * 2**doublings)


class PostgresPubSub:
    """A `PubSub` in the schema of a store.

    What this process publishes comes to its own listeners at once, and what others publish too, as long as it can
    `listen`; else within `interval`, each a timedelta. Behind PgBouncer in transaction mode turn `listen` off, as it
    needs a session. It takes one connection beside those of the store. Notices are kept for `retention`.

    Listeners are called on one thread, which begins with the first of them; `close` ends it. A process that is forked
    off goes on listening, for all who had subscribed, over a connection of its own.
    """

    def __init__(
        self,
        store: PostgresStore,
        *,
        listen: bool = True,
        interval: timedelta = _INTERVAL,
        retention: timedelta = _RETENTION,
    ) -> None:
        if not isinstance(interval, timedelta) or interval <= timedelta():
            raise InvalidValueError("PostgresPubSub", "interval", interval, "a timedelta of more than 0")
        if not isinstance(retention, timedelta) or retention < interval:
            raise InvalidValueError(
                "PostgresPubSub", "retention", retention, "a timedelta no shorter than the interval"
            )
        self._store = store
        self._retention = retention
        self._feed = HintedTable(store, interval=interval, listen=listen)
        self._listening = Listening(self._feed, name="prebuilds-postgres-pubsub")

    def publish(self, message: Message) -> None:
        self.publish_all((message,))

    def publish_all(self, messages: Sequence[Message]) -> None:
        """Send messages in their order, in one transaction: all of them, or none if it raises."""
        refuse_in_transaction()
        self._listening.require_open()
        if messages:
            with self._store.session() as statements:
                insert_notices(statements, messages, retention=self._retention)
            self._feed.wake()

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        return self._listening.subscribe(topic, listener)

    def close(self) -> None:
        """Stop listening, and wait for a listener that is at it, unless it is the one who closes."""
        self._listening.close()
