"""Pubsubs: who hears which message, in which order, and what a failing listener may break.

- Messages may come late, on any thread, and twice. So checks wait for them, and count each once.
- A message counts as not heard once a later one has been heard without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Event

from prebuilds.errors import PublishInTransactionError
from prebuilds.runtime.models import Message
from prebuilds.runtime.ports import BatchPubSub, PubSub
from prebuilds.runtime.publishing.commit_guard import open_transaction
from prebuilds.testing.contracts.equipment.checking import PubSubCheck, pubsub_check
from prebuilds.testing.contracts.equipment.error_words import Mismatch, describe, expect, expect_raises
from prebuilds.testing.contracts.equipment.generated_values import for_each
from prebuilds.testing.contracts.equipment.threads import PATIENCE, race
from prebuilds.testing.strategies import messages

CHECKS: list[PubSubCheck] = []
_TOPIC = "checked"
_HEARD = "Call the listener with every message published on the topic from now on."


def _make(body: str, topic: str = _TOPIC) -> Message:
    return Message(topic=topic, body=body)


class Ear:
    """A listener that keeps what it hears, each message once."""

    def __init__(self, pubsub: PubSub, topic: str = _TOPIC) -> None:
        self._arrived: SimpleQueue[Message] = SimpleQueue()
        self.end = pubsub.subscribe(topic, self._arrived.put)

    def listen_until(self, last: Message) -> Sequence[Message]:
        """Everything heard before this message."""
        heard: list[Message] = []
        while (message := self._get(last, heard)) != last:
            if message not in heard:
                heard.append(message)
        return heard

    def list_heard(self) -> Sequence[Message]:
        """Everything heard so far that no call has returned yet."""
        return [self._arrived.get() for _ in range(self._arrived.qsize())]

    def _get(self, awaited: Message, heard: Sequence[Message]) -> Message:
        try:
            return self._arrived.get(timeout=PATIENCE)
        except Empty:
            before = f"before it came {describe(heard)}"
            raise Mismatch(
                f"{describe(awaited)} had not come {PATIENCE:g} s after it was published; {before}"
            ) from None


@pubsub_check(CHECKS, "Send a message.")
def a_message_is_heard(pubsub: PubSub) -> None:
    ear = Ear(pubsub)
    pubsub.publish(_make("hello"))
    pubsub.publish(_make("end"))
    expect(ear.listen_until(_make("end")), [_make("hello")], "the messages heard")


@pubsub_check(CHECKS, _HEARD)
def every_listener_hears_every_message(pubsub: PubSub) -> None:
    ears = [Ear(pubsub) for _ in range(3)]
    bodies = [_make(str(number)) for number in range(50)]
    for message in (*bodies, _make("end")):
        pubsub.publish(message)
    for ear in ears:
        expect(ear.listen_until(_make("end")), bodies, "the messages that one of three listeners heard")


@pubsub_check(CHECKS, _HEARD)
def other_topics_are_not_heard(pubsub: PubSub) -> None:
    ear = Ear(pubsub)
    for topic in (f"{_TOPIC}.more", "Checked", "check%", "*"):
        pubsub.publish(_make("of another topic", topic))
    pubsub.publish(_make("end"))
    expect(ear.listen_until(_make("end")), [], "the messages heard of other topics")


@pubsub_check(CHECKS, _HEARD)
def what_was_published_before_is_not_heard(pubsub: PubSub) -> None:
    first = Ear(pubsub)
    pubsub.publish(_make("early"))
    first.listen_until(_make("early"))
    second = Ear(pubsub)
    pubsub.publish(_make("end"))
    expect(second.listen_until(_make("end")), [], "the messages heard that came before the listener")


@pubsub_check(CHECKS, "Returns a function that ends it.")
def a_subscription_ends(pubsub: PubSub) -> None:
    ended, other = Ear(pubsub), Ear(pubsub)
    ended.end()
    ended.end()
    pubsub.publish(_make("late"))
    other.listen_until(_make("late"))
    again = Ear(pubsub)
    pubsub.publish(_make("end"))
    again.listen_until(_make("end"))
    other.listen_until(_make("end"))
    expect(ended.list_heard(), [], "the messages that were heard after the subscription had ended")


@pubsub_check(CHECKS, "Messages of one publisher arrive in order, on any thread, at least once.")
def each_publisher_is_heard_in_order(pubsub: PubSub) -> None:
    ear = Ear(pubsub)
    race([_publishing(pubsub, f"{number}-") for number in range(8)])
    pubsub.publish(_make("end"))
    bodies = [message.body for message in ear.listen_until(_make("end"))]
    for number in range(8):
        mine = [body for body in bodies if body.startswith(f"{number}-")]
        expect(mine, [f"{number}-{count}" for count in range(20)], "the messages of one of 8 publishers")


def _publishing(pubsub: PubSub, prefix: str) -> Callable[[], None]:
    def publish() -> None:
        for count in range(20):
            pubsub.publish(_make(f"{prefix}{count}"))

    return publish


@pubsub_check(CHECKS, "An error of a listener is logged and stops nothing.")
def a_listener_that_fails_stops_nobody(pubsub: PubSub) -> None:
    def fail(message: Message) -> None:
        raise LookupError(f"told on purpose, of {message.body}")

    with _logged() as logged:
        end = pubsub.subscribe(_TOPIC, fail)
        ear = Ear(pubsub)
        pubsub.publish(_make("one"))
        pubsub.publish(_make("two"))
        expect(ear.listen_until(_make("two")), [_make("one")], "the messages heard beside a listener that fails")
        expect(logged.wait(PATIENCE), True, "whether an error with the LookupError of the listener was logged")
        end()


@contextmanager
def _logged() -> Iterator[Event]:
    """Set once an error with the exception of a listener has been logged."""
    seen = Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raised = record.exc_info[1] if record.exc_info else None
            if isinstance(raised, LookupError) or "told on purpose" in record.getMessage():
                seen.set()

    handler = Handler(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield seen
    finally:
        logging.getLogger().removeHandler(handler)


@pubsub_check(CHECKS, "Raises `PublishInTransactionError` inside a transaction of any store.")
def publishing_within_any_transaction_is_refused(pubsub: PubSub) -> None:
    ear = Ear(pubsub)
    with open_transaction(object()):
        what = "a message was published in a transaction (does `publish` call `refuse_in_transaction`?)"
        error = expect_raises(PublishInTransactionError, lambda: pubsub.publish(_make("refused")), what)
    expect(bool(error.place.strip()), True, "whether the error names where the transaction began")
    pubsub.publish(_make("end"))
    expect(ear.listen_until(_make("end")), [], "the messages heard that were refused")


@pubsub_check(CHECKS, "Send messages in order: all of them")
def a_batch_is_heard_in_its_order(pubsub: PubSub) -> None:
    if not isinstance(pubsub, BatchPubSub):
        return
    ear = Ear(pubsub)
    bodies = [_make(str(number)) for number in range(50)]
    pubsub.publish_all(bodies)
    pubsub.publish_all([])
    pubsub.publish_all([_make("end")])
    expect(ear.listen_until(_make("end")), bodies, "the messages of a batch that were heard")


@pubsub_check(CHECKS, "or none if it raises. Raises what `publish` does.")
def a_batch_within_any_transaction_is_refused(pubsub: PubSub) -> None:
    if not isinstance(pubsub, BatchPubSub):
        return
    ear = Ear(pubsub)
    with open_transaction(object()):
        what = "a batch was published in a transaction (does `publish_all` call `refuse_in_transaction`?)"
        expect_raises(PublishInTransactionError, lambda: pubsub.publish_all([_make("refused")]), what)
    pubsub.publish(_make("end"))
    expect(ear.listen_until(_make("end")), [], "the messages heard of a batch that was refused")


@pubsub_check(CHECKS, "Send a message.")
def every_message_is_heard_as_it_is(pubsub: PubSub) -> None:
    def check(number: int, message: Message) -> None:
        topic = f"{number}: {message.topic}"
        ear = Ear(pubsub, topic)
        pubsub.publish(_make(message.body, topic))
        ear.listen_until(_make(message.body, topic))
        ear.end()

    for_each(messages(), check)
