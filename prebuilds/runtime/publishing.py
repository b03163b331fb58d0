"""Publishing after commit: a message is released when its transaction has been committed, or dropped with it.

- A transaction holds a connection, and publishing may want one too: done inside, a small pool is exhausted. So
  publishing inside a transaction raises, in the thread or task that has it open and in tasks that it began meanwhile.
- Messages of one transaction are released in their order, and none of them before the commit.
- An `OutboxRelay` loses nothing and may send twice. A `MessageQueue` never sends twice and is lost with the process.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Protocol

from prebuilds.errors import InvalidValueError, NestedTransactionError, PublishInTransactionError
from prebuilds.runtime.forks import follow_forks
from prebuilds.runtime.logs import log_error
from prebuilds.runtime.models import Message, OutboxEntry
from prebuilds.runtime.ports import BatchPubSub, PubSub, Store

_log = logging.getLogger(__name__)

_BATCH = 100  # messages that are read from the outbox at once
_PACKAGE = str(Path(__file__).parent.parent) + os.sep
_CONTEXTLIB = contextmanager.__code__.co_filename


class _OpenTransaction:
    """One that may be open. A task that was begun inside holds it too, by a copy of the context, and outlives it."""

    def __init__(self, store: object, place: str) -> None:
        self.store = store
        self.place = place
        self.is_open = True


_begun: ContextVar[tuple[_OpenTransaction, ...]] = ContextVar("prebuilds_begun_transactions", default=())


def _list_open() -> tuple[_OpenTransaction, ...]:
    return tuple(transaction for transaction in _begun.get() if transaction.is_open)


@contextmanager
def open_transaction(store: object) -> Iterator[None]:
    """Around a transaction of a store: until it ends, nothing can be published, nor another of the same store begin.

    Every `Store` wraps its transactions in this. Raises `NestedTransactionError` inside another one of the same store.
    """
    for transaction in _list_open():
        if transaction.store is store:
            raise NestedTransactionError(transaction.place)
    own = _OpenTransaction(store, _find_place())
    _begun.set((*_list_open(), own))
    try:
        yield
    finally:
        own.is_open = False
        # No reset by token: it may end after another that began later, or in another context, as in a web framework.
        _begun.set(_list_open())


def refuse_in_transaction() -> None:
    """Every `PubSub` calls this before it publishes. Raises `PublishInTransactionError` inside a transaction."""
    transactions = _list_open()
    if transactions:
        raise PublishInTransactionError(transactions[-1].place)


def _find_place() -> str:
    """The line of the host's code that the transaction begins at: the first that is neither of this package nor within
    the store, whose own code stands between the two wherever a host has written one.
    """
    frame = sys._getframe(1)  # noqa: SLF001 - as logging does
    while frame.f_back and (_is_of_package(frame) or _is_of_context_manager(frame)):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def _is_of_package(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PACKAGE)


def _is_of_context_manager(frame: FrameType) -> bool:
    """Whether it is what a `with` block enters: a context manager of a class, or a generator that contextlib enters."""
    caller = frame.f_back.f_code.co_filename if frame.f_back else ""
    is_entered = frame.f_code.co_name == "__enter__" or caller == _CONTEXTLIB
    return is_entered or frame.f_code.co_filename == _CONTEXTLIB


class HeldMessages:
    """The messages of one transaction, held back until it is committed."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    def add(self, message: Message) -> None:
        """Hold one more."""
        self._messages.append(message)

    @contextmanager
    def nested(self) -> Iterator[None]:
        """A part of the transaction: an error that leaves it drops the messages that were added in it."""
        mark = len(self._messages)
        try:
            yield
        except BaseException:
            del self._messages[mark:]
            raise

    def list_messages(self) -> tuple[Message, ...]:
        """All that are held, in the order in which they were added."""
        return tuple(self._messages)


@contextmanager
def hold_messages(store: object, release: Callable[[Sequence[Message]], None]) -> Iterator[HeldMessages]:
    """Around a transaction of a store that has no outbox: what is held is released when the block has ended well.

    It is an `open_transaction` too. `release` is called outside of it, so that it may publish.
    """
    with open_transaction(store):
        held = HeldMessages()
        yield held
    messages = held.list_messages()
    if messages:
        release(messages)


class Relay(Protocol):
    """What sends committed messages on."""

    def flush(self) -> int:
        """Publish all that wait, and return how many those were. Raises what publishing raises; the rest stays.

        While another call is at it, or this one is made by a listener, that other call publishes these too.
        """
        ...


def flush_quietly(relay: Relay | None) -> None:
    """Publish all that wait, if there is a relay. What fails is logged: the messages were committed, and wait."""
    try:
        if relay:
            relay.flush()
    except Exception as error:
        log_error(_log, "messages not published", error)


class MessageQueue:
    """A bounded queue within the process, for stores without an outbox.

    `send` is what `hold_messages` releases to. What cannot be published stays queued until the next `flush`; beyond
    `capacity` the oldest are dropped, which is logged and counted in `dropped`.
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
        """Queue these, and publish what is queued. Never raises: what is to be sent has been committed already."""
        self._queue(partial(self._messages.extend, messages))
        try:
            self.flush()
        except Exception as error:  # the transaction is over, and the messages wait
            log_error(_log, "messages not published", error, queued=len(self._messages))

    def flush(self) -> int:
        count = 0
        # Whoever finds the lock taken leaves its messages to the one who has it, and who looks again after letting go.
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
        """Add messages, and drop the oldest of all beyond the capacity."""
        with self._queueing:
            add()
            excess = max(len(self._messages) - self._capacity, 0)
            for _ in range(excess):
                self._messages.popleft()
            self.dropped += excess
        if excess:
            _log.warning("messages dropped", extra={"count": excess, "capacity": self._capacity})


class OutboxRelay:
    """Sends the messages of a store's outbox: at least once, in their order, whatever crashes in between.

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
        # As in a queue: whoever finds the lock taken leaves it to the one who has it, who looks after letting go.
        while self._is_wanted and self._publishing.acquire(blocking=False):
            try:
                self._is_wanted = False  # before reading, so that what is committed from now on is asked for again
                while sent := self._flush_batch():
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
