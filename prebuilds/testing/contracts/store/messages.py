"""Messages of transactions: sent in order after the commit, dropped by a rollback.

- A store sends committed messages from its outbox, which is relayed here as a host would do, or to the pubsub that
  `pubsub_of` gives.
- A message counts as not sent once a later one has come without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event

from prebuilds.runtime.models import Message
from prebuilds.runtime.ports import Capability, PubSub, Store
from prebuilds.runtime.publishing.relays import OutboxRelay
from prebuilds.testing.contracts.equipment.checking import Lab, StoreCheck, store_check
from prebuilds.testing.contracts.equipment.error_words import Mismatch, describe, expect
from prebuilds.testing.contracts.equipment.requests import WEB, Undo
from prebuilds.testing.contracts.equipment.threads import PATIENCE, begin_elsewhere, get_answer, hold_open, race

CHECKS: list[StoreCheck] = []
TOPIC = "checked"
_NESTING = (Capability.NESTING,)
_ORDER = "Send the message after the outermost transaction is committed, and after messages handed over before it."
_DROPPED = "It is dropped if the transaction, or the `nested` part that it was handed to, is rolled back."


def make(body: str) -> Message:
    """A message on the topic that is read here."""
    return Message(topic=TOPIC, body=body)


class Outlet:
    """A `PubSub` with nothing behind it: the messages of the outbox end here."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Message], None]] = []

    def publish(self, message: Message) -> None:
        for listener in self._listeners:
            listener(message)

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        self._listeners.append(lambda message: listener(message) if message.topic == topic else None)
        return self._listeners.clear


class Mailbox:
    """Everything that a store has sent, in order."""

    def __init__(self, store: Store, pubsub: PubSub | None) -> None:
        self._store = store
        self._is_relayed = pubsub is None
        outlet = pubsub or Outlet()
        self._relay = OutboxRelay(store, outlet)
        self._arrived: SimpleQueue[str] = SimpleQueue()
        outlet.subscribe(TOPIC, lambda message: self._arrived.put(message.body))

    def look(self) -> Sequence[str]:
        """Send what waits in the outbox. Returns the bodies that have come so far."""
        self._relay.flush()
        bodies = []
        with suppress(Empty):
            while True:
                bodies.append(self._arrived.get_nowait())
        return bodies

    def read_all(self) -> Sequence[str]:
        """The bodies of all messages committed so far. Each counts once, though it may come twice."""
        with self._store.transaction() as tx:
            tx.publish_on_commit(make("the end"))
        self._relay.flush()
        bodies: list[str] = []
        while True:
            try:
                body = self._arrived.get(timeout=0 if self._is_relayed else PATIENCE)
            except Empty:
                raise Mismatch(_explain_silence(bodies, is_relayed=self._is_relayed)) from None
            if body == "the end":
                return bodies
            if body not in bodies:
                bodies.append(body)


def _explain_silence(bodies: Sequence[str], *, is_relayed: bool) -> str:
    where = (
        "list_messages() did not have it; where messages do not wait in an outbox, say where they come out: "
        "check_store(make_store, pubsub_of=...)"
        if is_relayed
        else f"{PATIENCE:g} s later it had not been published"
    )
    return f"a message was committed, but {where}; before it came {describe(bodies)}"


def _open(lab: Lab) -> Mailbox:
    return Mailbox(lab.store, lab.pubsub)


@store_check(CHECKS, "OutboxWrites.publish_on_commit", _ORDER)
def messages_are_sent_in_order(lab: Lab) -> None:
    mailbox = _open(lab)
    bodies = [str(number) for number in range(12)]
    for first in range(0, 12, 3):
        with lab.store.transaction() as tx:
            for body in bodies[first : first + 3]:
                tx.publish_on_commit(make(body))
    expect(mailbox.read_all(), bodies, "the messages of 4 transactions")


@store_check(CHECKS, "OutboxWrites.publish_on_commit", _ORDER, needs=_NESTING)
def nothing_is_sent_before_the_commit(lab: Lab) -> None:
    mailbox = _open(lab)
    with hold_open(lab.store) as held:
        held.call(lambda tx: tx.publish_on_commit(make("early")))
        with begin_elsewhere(mailbox.look) as looking:
            if looking.done():
                expect(looking.result(), [], "the messages sent by a transaction that was still open")
            held.end(Undo())
            expect(get_answer(looking), [], "the messages sent by a transaction that was rolled back")
    with lab.store.transaction() as tx:
        tx.publish_on_commit(make("one"))
        with tx.nested():
            tx.publish_on_commit(make("two"))
    expect(mailbox.read_all(), ["one", "two"], "the messages, of which a nested part's is one,")


@store_check(CHECKS, "OutboxWrites.publish_on_commit", _DROPPED, needs=_NESTING)
def what_is_rolled_back_sends_nothing(lab: Lab) -> None:
    mailbox = _open(lab)
    with suppress(Undo), lab.store.transaction() as tx:
        tx.publish_on_commit(make("dropped"))
        with tx.nested():
            tx.publish_on_commit(make("dropped with the whole"))
        raise Undo
    expect(mailbox.read_all(), [], "the messages of a transaction that was rolled back")


@store_check(CHECKS, "OutboxWrites.publish_on_commit", _DROPPED, needs=_NESTING)
def a_nested_part_that_is_rolled_back_sends_nothing(lab: Lab) -> None:
    mailbox = _open(lab)
    with lab.store.transaction() as tx:
        tx.publish_on_commit(make("before"))
        with suppress(Undo), tx.nested():
            tx.publish_on_commit(make("dropped"))
            with tx.nested():
                tx.publish_on_commit(make("dropped too"))
            raise Undo
        tx.publish_on_commit(make("after"))
    expect(mailbox.read_all(), ["before", "after"], "the messages, nested parts being rolled back,")


@store_check(CHECKS, "OutboxWrites", "Messages that are sent if, and only if, the transaction is committed.")
def many_writers_lose_no_message(lab: Lab) -> None:
    mailbox = _open(lab)
    race([_writing(lab.store, f"{number}-") for number in range(8)])
    seen = mailbox.read_all()
    for number in range(8):
        mine = [body for body in seen if body.startswith(f"{number}-")]
        expect(mine, [f"{number}-{part}" for part in "abc"], "the messages of one of 8 writers")


def _writing(store: Store, prefix: str) -> Callable[[], None]:
    def write() -> None:
        with store.transaction() as tx:
            for part in "abc":
                tx.publish_on_commit(make(prefix + part))

    return write


@store_check(CHECKS, "OutboxWrites.list_messages", "The first messages that wait in the outbox.")
def the_outbox_gives_the_first(lab: Lab) -> None:
    messages = [make(str(number)) for number in range(5)]
    with lab.store.transaction() as tx:
        for message in messages:
            tx.publish_on_commit(message)
    with lab.store.transaction(read_only=True) as tx:
        entries, first = tx.list_messages(9), tx.list_messages(2)
    if entries or lab.pubsub is None:
        expect([entry.message for entry in entries], messages, "list_messages(9)")
        expect(first, entries[:2], "list_messages(2)")
        ids = [entry.id for entry in entries]
        expect(ids, sorted(set(ids)), "the ids of the entries, in the order in which they were written,")


@store_check(
    CHECKS,
    "OutboxWrites.delete_messages",
    "Remove messages that have been sent. Unknown ids are ignored.",
)
def what_was_sent_leaves_the_outbox(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        for body in ("one", "two", "three"):
            tx.publish_on_commit(make(body))
    with lab.store.transaction() as tx:
        entries = tx.list_messages(9)
        sent = [entry.id for entry in entries[:2]]
        tx.delete_messages(sent)
        tx.delete_messages([*sent, 1_000_000])
        tx.delete_messages([])
    with lab.store.transaction(read_only=True) as tx:
        expect(tx.list_messages(9), entries[2:], "list_messages(9), two of three having been sent,")


@store_check(CHECKS, "OutboxWrites.list_messages", "Empty if the store keeps committed messages elsewhere.")
def a_listener_may_use_the_store(lab: Lab) -> None:
    """Messages come after their transaction has ended, so a listener may begin another."""
    if lab.pubsub is None:
        return
    done = Event()

    def listen(_: Message) -> None:
        with lab.store.transaction() as tx:
            tx.put_preset(WEB)
        done.set()

    end = lab.pubsub.subscribe(TOPIC, listen)
    with lab.store.transaction() as tx:
        tx.publish_on_commit(make("begin"))
    OutboxRelay(lab.store, lab.pubsub).flush()
    expect(done.wait(PATIENCE), True, "whether a listener could begin a transaction")
    end()
