"""Messages within one process: the thread that publishes calls every listener."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from prebuilds.runtime.models import Message
from prebuilds.runtime.publishing.commit_guard import refuse_in_transaction

_log = logging.getLogger(__name__)
Listener = Callable[[Message], None]


class Connections(Protocol):
    """A store that lends connections."""

    def connection(self) -> AbstractContextManager[None]:
        """One of the connections, until the block ends. Raises `PoolExhaustedError`."""
        ...


class MemoryPubSub:
    """A `PubSub` within the process.

    With a `store`, each publish takes one of its connections, as it would with a database.
    """

    def __init__(self, store: Connections | None = None) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._listeners: tuple[tuple[str, Listener], ...] = ()

    def publish(self, message: Message) -> None:
        refuse_in_transaction()
        with self._store.connection() if self._store else nullcontext():
            listeners = self._listeners
        for topic, listener in listeners:
            if topic == message.topic:
                _call(listener, message)

    def subscribe(self, topic: str, listener: Listener) -> Callable[[], None]:
        entry = (topic, listener)
        with self._lock:
            self._listeners = (*self._listeners, entry)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not entry)

        return end


def _call(listener: Listener, message: Message) -> None:
    try:
        listener(message)
    except Exception:
        _log.exception("a listener failed", extra={"topic": message.topic})
