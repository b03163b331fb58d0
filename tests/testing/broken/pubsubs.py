"""Pubsubs that break one rule each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import attrs

from prebuilds.adapters.memory import MemoryPubSub
from prebuilds.runtime.models import Message
from prebuilds.runtime.publishing.commit_guard import refuse_in_transaction


# Pubsubs
class DeafPubSub(MemoryPubSub):
    """Lets a listener that fails stop the others, and its publisher."""

    def publish(self, message: Message) -> None:
        refuse_in_transaction()
        for topic, listener in self._listeners:
            if topic == message.topic:
                listener(message)


class SilentPubSub(MemoryPubSub):
    """Does not log what listeners raise."""

    def publish(self, message: Message) -> None:
        refuse_in_transaction()
        for topic, listener in self._listeners:
            if topic == message.topic:
                with suppress(Exception):
                    listener(message)


class CarelessPubSub(MemoryPubSub):
    """Publishes within transactions."""

    def publish(self, message: Message) -> None:
        for topic, listener in self._listeners:
            if topic == message.topic:
                with suppress(LookupError):
                    listener(message)


class GossipingPubSub(MemoryPubSub):
    """Tells everybody everything."""

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        ends = [super(GossipingPubSub, self).subscribe(name, listener) for name in (topic, f"{topic}.more")]
        return lambda: [end() for end in ends] and None


class ClingingPubSub(MemoryPubSub):
    """Never lets a listener go."""

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        super().subscribe(topic, listener)
        return lambda: None


class RepeatingPubSub(MemoryPubSub):
    """Tells newcomers what was published before."""

    def __init__(self) -> None:
        super().__init__()
        self._past: list[Message] = []

    def publish(self, message: Message) -> None:
        self._past.append(message)
        super().publish(message)

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        for message in self._past:
            if message.topic == topic:
                listener(message)
        return super().subscribe(topic, listener)


class SwappingPubSub(MemoryPubSub):
    """Turns each pair of messages round."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[Message] = []

    def publish(self, message: Message) -> None:
        self._kept.append(message)
        if message.body == "end" or len(self._kept) == 2:
            for kept in self._kept if message.body == "end" else self._kept[::-1]:
                super().publish(kept)
            self._kept.clear()


class MarkingPubSub(MemoryPubSub):
    """Changes what messages say."""

    def publish(self, message: Message) -> None:
        super().publish(attrs.evolve(message, body=message.body.upper()))
