"""Relays: they send committed messages, in the order in which they were committed.

An `OutboxRelay` loses nothing but may send twice. A `MessageQueue` never sends twice but is lost with the process.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from prebuilds.errors import InvalidValueError
from prebuilds.runtime.forks import follow_forks
from prebuilds.runtime.logs import attempt, log_error
from prebuilds.runtime.models import Message, OutboxEntry
from prebuilds.runtime.ports import BatchPubSub, Isolation, PubSub, Store, Transaction

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_BATCH = 100  # messages to read from the outbox at once


class Relay(Protocol):
    """Sends committed messages."""

    def flush(self) -> int:
        """Publish all waiting messages, and return their number. Raises what publishing raises; the rest stays.

        If another call is under way, or a listener makes this call, the other call publishes these messages too.
        """
        ...


def flush_quietly(relay: Relay | None) -> None:
    """Publish all waiting messages, if there is a relay. Log an error: the messages are committed, and still wait."""
    if relay:
        attempt(_log, "messages not published", relay.flush)


def change_and_flush(
    store: Store,
    relay: Relay | None,
    change: Callable[[Transaction], _T],
    *,
    isolation: Isolation = Isolation.READ_COMMITTED,
) -> _T:
    """Make a change in one transaction of the store, then publish its messages. Returns what `change` returns."""
    with store.transaction(isolation=isolation) as tx:
        result = change(tx)
    flush_quietly(relay)
    return result


class MessageQueue:
    """A bounded queue within the process, for stores without an outbox.

    Pass `send` to `hold_messages`. A message that cannot be published stays queued until the next `flush`. Beyond
    `capacity` the oldest messages are dropped; that is logged and counted in `dropped`.
    """

    def __init__(self, pubsub: PubSub, *, capacity: int = 1_000) -> None:
        if type(capacity) is not int or capacity < 1:
            raise InvalidValueError("MessageQueue", "capacity", capacity, "a whole number of 1 or more")
        self._pubsub = pubsub
        self._capacity = capacity
        self._messages: deque[Message] = deque()
        self._queueing, self._publishing = threading.Lock(), threading.Lock()
        self.dropped = 0

    def send(self, messages: Sequence[Message]) -> None:
        """Queue these messages and publish the queue. Never raises, as the messages are already committed."""
        self._queue(partial(self._messages.extend, messages))
        try:
            self.flush()
        except Exception as error:  # the transaction is over, and the messages wait
            log_error(_log, "messages not published", error, queued=len(self._messages))

    def flush(self) -> int:
        count = 0
        # A thread that finds the lock taken leaves its messages to the holder, which looks again after releasing it.
        while self._messages and self._publishing.acquire(blocking=False):
            try:
                count += self._publish_all()
            finally:
                self._publishing.release()
        return count

    def _publish_all(self) -> int:
        count = 0
        while True:
            with self._queueing:
                if not self._messages:
                    return count
                message = self._messages.popleft()
            try:
                self._pubsub.publish(message)
            except BaseException:
                self._queue(partial(self._messages.appendleft, message))
                raise
            count += 1

    def _queue(self, add: Callable[[], None]) -> None:
        """Add messages, and drop the oldest beyond the capacity."""
        with self._queueing:
            add()
            excess = max(len(self._messages) - self._capacity, 0)
            for _ in range(excess):
                self._messages.popleft()
            self.dropped += excess
        if excess:
            _log.warning("messages dropped", extra={"count": excess, "capacity": self._capacity})


class OutboxRelay:
    """Sends the messages of a store's outbox: at least once and in order, even after a crash.

    Relays of several processes may send the same message twice.
    """

    def __init__(self, store: Store, pubsub: PubSub) -> None:
        self._store = store
        self._pubsub = pubsub
        self._reset()
        follow_forks(self, OutboxRelay._reset)

    def _reset(self) -> None:
        self._publishing = threading.Lock()
        self._is_wanted = False

    def flush(self) -> int:
        count = 0
        self._is_wanted = True
        # As in the queue: a thread that finds the lock taken leaves the work to the holder, which looks again.
        while self._is_wanted and self._publishing.acquire(blocking=False):
            try:
                self._is_wanted = False  # before reading, so that later commits ask again
                sent = _BATCH
                while sent == _BATCH:  # with fewer, the outbox was empty
                    sent = self._flush_batch()
                    count += sent
            finally:
                self._publishing.release()
        return count

    def _flush_batch(self) -> int:
        with self._store.transaction(read_only=True) as tx:
            entries = tx.list_messages(_BATCH)
        sent: list[int] = []
        try:
            self._publish(entries, sent)
        finally:
            if sent:
                with self._store.transaction() as tx:
                    tx.delete_messages(sent)
        return len(sent)

    def _publish(self, entries: Sequence[OutboxEntry], sent: list[int]) -> None:
        if isinstance(self._pubsub, BatchPubSub) and entries:
            self._pubsub.publish_all([entry.message for entry in entries])
            sent.extend(entry.id for entry in entries)
            return
        for entry in entries:
            self._pubsub.publish(entry.message)
            sent.append(entry.id)
