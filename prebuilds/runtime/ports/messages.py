"""Messages: those that wait for a commit, and their way to listeners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from prebuilds.runtime.models import Message, OutboxEntry


@runtime_checkable
class OutboxWrites(Protocol):
    """Messages that are sent if, and only if, the transaction is committed."""

    def publish_on_commit(self, message: Message) -> None:
        """Send the message after the outermost transaction is committed, and after messages handed over before it.

        It is dropped if the transaction, or the `nested` part that it was handed to, is rolled back.
        """
        ...

    def list_messages(self, limit: int) -> Sequence[OutboxEntry]:
        """The first messages that wait in the outbox. Empty if the store keeps committed messages elsewhere."""
        ...

    def delete_messages(self, ids: Sequence[int]) -> None:
        """Remove messages that have been sent. Unknown ids are ignored."""
        ...


class PubSub(Protocol):
    """Carries messages to listeners, within a process or between several."""

    def publish(self, message: Message) -> None:
        """Send a message. Raises `PublishInTransactionError` inside a transaction of any store."""
        ...

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        """Call the listener with every message published on the topic from now on. Returns a function that ends it.

        Messages of one publisher arrive in order, on any thread, at least once. An error of a listener is logged and
        stops nothing.
        """
        ...


@runtime_checkable
class BatchPubSub(PubSub, Protocol):
    """A `PubSub` that can send several messages at the cost of one. A sender of many messages uses it."""

    def publish_all(self, messages: Sequence[Message]) -> None:
        """Send messages in order: all of them, or none if it raises. Raises what `publish` does."""
        ...


@runtime_checkable
class PubSubMaker(Protocol):
    """A store that brings a pubsub of its own, a capability. `Pools` uses it."""

    def make_pubsub(self) -> PubSub:
        """A new pubsub over this store. If it has a `close`, it is called at the end."""
        ...
