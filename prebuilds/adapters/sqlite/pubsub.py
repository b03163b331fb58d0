"""Messages between processes, as rows of a table that every process looks at now and then.

- Publishing is a transaction of its own, over a connection of the store's pool.
- Only one transaction writes at a time, so notices are committed in the order of their numbers: whoever remembers the
  last number that it has seen misses none.
- A notice is kept for a while and then deleted by whoever publishes next. A listener that is stuck for longer than that
  misses what was deleted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from prebuilds.adapters.sqlite.rows import write_instant
from prebuilds.adapters.sqlite.statements import Statements
from prebuilds.adapters.sqlite.store import SQLiteStore
from prebuilds.errors import InvalidValueError, StoreClosedError
from prebuilds.runtime.clocks import SYSTEM_CLOCK
from prebuilds.runtime.models import Message
from prebuilds.runtime.ports import Clock
from prebuilds.runtime.publishing import refuse_in_transaction

_log = logging.getLogger(__name__)

_INTERVAL = timedelta(milliseconds=200)
_RETENTION = timedelta(minutes=10)
_BATCH = 100  # notices that are read at once


class _Subscription(NamedTuple):
    topic: str
    listener: Callable[[Message], None]
    after: int  # the last notice that was there before


class _Notice(NamedTuple):
    number: int
    message: Message


class SQLitePubSub:
    """A `PubSub` in the file of a store.

    What this process publishes comes to its own listeners at once, what others publish within `interval`. Notices are
    kept for `retention`. Listeners are called on one thread, which begins with the first of them; `close` ends it. A
    process that is forked off makes a pubsub of its own.
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
        self._interval = interval
        self._retention = retention
        self._clock = clock
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._is_closed = False

    def publish(self, message: Message) -> None:
        refuse_in_transaction()
        self._require_open()
        now = self._clock.now()
        with self._store.session(read_only=False) as statements:
            statements.run("DELETE FROM notices WHERE published_at < ?", write_instant("now", now - self._retention))
            statements.run(
                "INSERT INTO notices (topic, body, published_at) VALUES (?, ?, ?)",
                message.topic,
                message.body,
                write_instant("now", now),
            )
        self._wake.set()

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        with self._store.session(read_only=True) as statements:
            subscription = _Subscription(topic, listener, _find_last(statements))
        with self._lock:
            self._require_open()
            self._subscriptions = (*self._subscriptions, subscription)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._listen, args=(subscription.after,), name="prebuilds-sqlite-pubsub", daemon=True
                )
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
        self._wake.set()
        if thread and thread is not threading.current_thread():
            thread.join()

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreClosedError

    def _listen(self, seen: int) -> None:
        while True:
            self._wake.clear()
            if self._is_closed:  # looked at after clearing, as closing sets both
                return
            try:
                notices = self._read(seen)
            except StoreClosedError:
                return
            except Exception:  # whatever it is, it may be over at the next attempt
                _log.exception("notices not read", extra={"after": seen})
                notices = ()
            for notice in notices:
                self._deliver(notice)
                seen = notice.number
            if len(notices) < _BATCH:
                self._clock.wait(self._wake, self._interval)

    def _read(self, after: int) -> Sequence[_Notice]:
        sql = "SELECT id, topic, body FROM notices WHERE id > ? ORDER BY id LIMIT ?"
        with self._store.session(read_only=True) as statements:
            rows = statements.fetch(sql, after, _BATCH)
        return [_Notice(number, Message(topic=topic, body=body)) for number, topic, body in rows]

    def _deliver(self, notice: _Notice) -> None:
        for subscription in self._subscriptions:
            if subscription.topic == notice.message.topic and subscription.after < notice.number:
                _call(subscription, notice)


def _call(subscription: _Subscription, notice: _Notice) -> None:
    try:
        subscription.listener(notice.message)
    except Exception:
        _log.exception("a listener failed", extra={"topic": notice.message.topic})


def _find_last(statements: Statements) -> int:
    """The number of the last notice that there ever was; those that were deleted count too."""
    row = statements.fetch_one("SELECT seq FROM sqlite_sequence WHERE name = 'notices'")
    return int(row[0]) if row else 0
