"""Messages between processes, as rows of a table that every process looks at now and then.

- What counts is the table. NOTIFY only tells those who LISTEN to look at once, one time for all that is published
  together; whatever becomes of it, every message is found at the next look.
- Publishing is a transaction of its own, over a connection of the store's pool, and so is every look.
- A notice is kept for a while and then deleted by whoever publishes next. A listener that is cut off for longer than
  that misses what was deleted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from prebuilds.adapters.postgres.hints import Hints
from prebuilds.adapters.postgres.notices import BATCH, Notice, find_last, insert_notices, list_notices
from prebuilds.adapters.postgres.store import PostgresStore
from prebuilds.errors import InvalidValueError, StoreClosedError
from prebuilds.runtime.models import Message
from prebuilds.runtime.publishing import refuse_in_transaction

_log = logging.getLogger(__name__)

_INTERVAL = timedelta(seconds=1)
_RETENTION = timedelta(minutes=10)


class _Subscription(NamedTuple):
    topic: str
    listener: Callable[[Message], None]
    after: int  # the last notice that was there before


class PostgresPubSub:
    """A `PubSub` in the schema of a store.

    What this process publishes comes to its own listeners at once, and what others publish too, as long as it can
    `listen`; else within `interval`, each a timedelta. Behind PgBouncer in transaction mode turn `listen` off, as it
    needs a session. It takes one connection beside those of the store. Notices are kept for `retention`.

    Listeners are called on one thread, which begins with the first of them; `close` ends it.
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
        self._seconds = interval.total_seconds()
        self._retention = retention
        self._hints = Hints(store.parameters if listen else None, store.schema)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._is_closed = False

    def publish(self, message: Message) -> None:
        self.publish_all((message,))

    def publish_all(self, messages: Sequence[Message]) -> None:
        """Send messages in their order, in one transaction: all of them, or none if it raises."""
        refuse_in_transaction()
        self._require_open()
        if messages:
            with self._store.session() as statements:
                insert_notices(statements, messages, retention=self._retention)
            self._hints.give()

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        self._require_open()
        with self._store.session(read_only=True) as statements:
            subscription = _Subscription(topic, listener, find_last(statements))
        with self._lock:
            self._require_open()
            self._subscriptions = (*self._subscriptions, subscription)
            if self._thread is None:
                name = "prebuilds-postgres-pubsub"
                self._thread = threading.Thread(target=self._run, args=(subscription.after,), name=name, daemon=True)
                self._thread.start()

        def end() -> None:
            with self._lock:
                self._subscriptions = tuple(other for other in self._subscriptions if other is not subscription)

        return end

    def close(self) -> None:
        """Stop listening, and wait for a listener that is at it, unless it is the one who closes."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        self._hints.give()
        if thread is None:
            self._hints.close()
        elif thread is not threading.current_thread():
            thread.join()

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreClosedError

    def _run(self, seen: int) -> None:
        try:
            self._follow(seen)
        finally:
            self._hints.close()

    def _follow(self, seen: int) -> None:
        failures = 0
        while not self._is_closed:
            self._hints.prepare()  # before looking, so that what comes after the look is hinted at
            try:
                notices = self._list_notices(seen)
                failures = 0
            except StoreClosedError:
                return
            except Exception:  # whatever it is, it may be over at the next attempt
                _log.exception("notices not read", extra={"after": seen})
                notices, failures = (), min(failures + 1, 6)
            for notice in notices:
                self._deliver(notice)
                seen = notice.number
            if len(notices) < BATCH:
                self._hints.wait(self._seconds * 2**failures)

    def _list_notices(self, after: int) -> Sequence[Notice]:
        with self._store.session(read_only=True) as statements:
            return list_notices(statements, after)

    def _deliver(self, notice: Notice) -> None:
        for subscription in self._subscriptions:
            if subscription.topic == notice.message.topic and subscription.after < notice.number:
                _call(subscription, notice)


def _call(subscription: _Subscription, notice: Notice) -> None:
    try:
        subscription.listener(notice.message)
    except Exception:
        _log.exception("a listener failed", extra={"topic": notice.message.topic})
