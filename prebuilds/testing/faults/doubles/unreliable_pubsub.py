"""A pubsub that loses, doubles and reorders messages. Its seed decides which."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from random import Random

from prebuilds.runtime.models import Message
from prebuilds.runtime.publishing.commit_guard import refuse_in_transaction

Listener = Callable[[Message], None]


class Delivery(Enum):
    """What may happen to a message."""

    LOST = "lost"
    DOUBLED = "doubled"
    REORDERED = "reordered"
    """Held back until the next message has been delivered."""


class UnreliablePubSub:
    """A `PubSub` within the process. A random half of its messages goes one of these ways."""

    def __init__(self, *deliveries: Delivery, seed: int = 0) -> None:
        self._deliveries = deliveries
        self._random = Random(seed)  # noqa: S311 - chooses what is lost; no secret
        self._held: list[Message] = []
        self._listeners: list[tuple[str, Listener]] = []

    def publish(self, message: Message) -> None:
        refuse_in_transaction()
        delivery = self._random.choice((None, self._random.choice(self._deliveries))) if self._deliveries else None
        if delivery is Delivery.LOST:
            return
        if delivery is Delivery.REORDERED:
            self._held.append(message)
            return
        self._deliver(message, *[message] * (delivery is Delivery.DOUBLED))
        self.flush()

    def flush(self) -> None:
        """Deliver the messages that are held back."""
        held, self._held = self._held, []
        self._deliver(*held)

    def subscribe(self, topic: str, listener: Listener) -> Callable[[], None]:
        entry = (topic, listener)
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    def _deliver(self, *messages: Message) -> None:
        for message in messages:
            for topic, listener in tuple(self._listeners):
                if topic == message.topic:
                    listener(message)
