"""What the pubsubs of SQL stores share: they write notices to a table, and listen to a feed of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from prebuilds.adapters.listening import Feed, Listening
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.models import Message
from prebuilds.runtime.publishing.commit_guard import refuse_in_transaction


class TablePubSub:
    """The listening half of a `PubSub`, and the checks before publishing. `name` is the listening thread's."""

    def __init__(self, feed: Feed, *, name: str, retention: timedelta) -> None:
        self._feed = feed
        self._retention = retention
        self._listening = Listening(feed, name=name)

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        return self._listening.subscribe(topic, listener)

    def close(self) -> None:
        """Stop listening. Waits for a listener that is running, unless that listener is the caller."""
        self._listening.close()

    def _require_publishing(self) -> None:
        """Raises `PublishInTransactionError` within a transaction, and `StoreClosedError` once it is closed."""
        refuse_in_transaction()
        self._listening.require_open()


def check_times(owner: str, interval: timedelta, retention: timedelta) -> None:
    """Raises `InvalidValueError`, which names `owner`, unless 0 < interval <= retention."""
    if not isinstance(interval, timedelta) or interval <= timedelta():
        raise InvalidValueError(owner, "interval", interval, "a timedelta of more than 0")
    if not isinstance(retention, timedelta) or retention < interval:
        raise InvalidValueError(owner, "retention", retention, "a timedelta no shorter than the interval")
