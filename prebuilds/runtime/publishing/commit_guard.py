"""The guard: it holds messages back until their transaction is committed, and lets nothing be published before.

- A transaction holds a connection, and publishing may need another. Inside a transaction, that exhausts a small pool.
  So publishing raises in the thread or task that has a transaction open, and in tasks started inside it.
- Messages of one transaction are released in order. A rollback drops them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

from prebuilds.errors import NestedTransactionError, PublishInTransactionError
from prebuilds.runtime.models import Message

_PACKAGE = str(Path(__file__).parents[2]) + os.sep
_CONTEXTLIB = contextmanager.__code__.co_filename


class _OpenTransaction:
    """A transaction that may be open. A task started inside keeps it in its copy of the context, and may outlive it."""

    def __init__(self, store: object, place: str) -> None:
        self.store = store
        self.place = place
        self.is_open = True


_begun: ContextVar[tuple[_OpenTransaction, ...]] = ContextVar("prebuilds_begun_transactions", default=())


def _list_open() -> tuple[_OpenTransaction, ...]:
    return tuple(transaction for transaction in _begun.get() if transaction.is_open)


def is_in_transaction() -> bool:
    """Whether a transaction of any store is open here."""
    return bool(_list_open())


@contextmanager
def open_transaction(store: object) -> Iterator[None]:
    """Wrap a transaction of a store: until it ends, nothing can be published, and the store can begin no other.

    Every `Store` wraps its transactions in this. Raises `NestedTransactionError` inside another one of the same store.
    """
    refuse_nesting(store)
    own = _OpenTransaction(store, _find_place())
    _begun.set((*_list_open(), own))
    try:
        yield
    finally:
        own.is_open = False
        # No reset by token: transactions may end out of order, or in another context, as in a web framework.
        _begun.set(_list_open())


def refuse_nesting(store: object) -> None:
    """A store calls this where it begins a transaction of its own. Raises `NestedTransactionError` inside another."""
    for transaction in _list_open():
        if transaction.store is store:
            raise NestedTransactionError(transaction.place)


def refuse_in_transaction() -> None:
    """Every `PubSub` calls this before it publishes. Raises `PublishInTransactionError` inside a transaction."""
    transactions = _list_open()
    if transactions:
        raise PublishInTransactionError(transactions[-1].place)


def _find_place() -> str:
    """The line of the host's code where the transaction begins: outside this package, and outside the store that the
    host may have written.
    """
    frame = sys._getframe(1)  # noqa: SLF001 - as logging does
    while frame.f_back and (_is_of_package(frame) or _is_of_context_manager(frame)):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def _is_of_package(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PACKAGE)


def _is_of_context_manager(frame: FrameType) -> bool:
    """Whether a `with` block enters the frame: as an `__enter__`, or as a generator, through contextlib."""
    caller = frame.f_back.f_code.co_filename if frame.f_back else ""
    is_entered = frame.f_code.co_name == "__enter__" or caller == _CONTEXTLIB
    return is_entered or frame.f_code.co_filename == _CONTEXTLIB


class HeldMessages:
    """The messages of one transaction, held back until its commit."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    def add(self, message: Message) -> None:
        """Hold one more message."""
        self._messages.append(message)

    @contextmanager
    def nested(self) -> Iterator[None]:
        """A part of the transaction: an error that leaves it drops the messages added in it."""
        mark = len(self._messages)
        try:
            yield
        except BaseException:
            del self._messages[mark:]
            raise

    def list_messages(self) -> tuple[Message, ...]:
        """All held messages, in the order in which they were added."""
        return tuple(self._messages)


@contextmanager
def hold_messages(store: object, release: Callable[[Sequence[Message]], None]) -> Iterator[HeldMessages]:
    """Wrap a transaction of a store without an outbox: release the held messages when the block ends without an error.

    This includes `open_transaction`. `release` is called outside of it, so it may publish.
    """
    with open_transaction(store):
        held = HeldMessages()
        yield held
    messages = held.list_messages()
    if messages:
        release(messages)
