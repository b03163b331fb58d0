"""Nothing is published inside a transaction. Messages handed over there are published after the commit."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from contextvars import Context, copy_context
from datetime import timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import prebuilds
from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.adapters.sqlite import SQLitePubSub, SQLiteStore
from prebuilds.errors import (
    InvalidValueError,
    NestedTransactionError,
    PoolExhaustedError,
    PublishInTransactionError,
    StoreBusyError,
)
from prebuilds.runtime.models import Message
from prebuilds.runtime.ports import PubSub, Store, Transaction
from prebuilds.runtime.publishing.commit_guard import (
    HeldMessages,
    hold_messages,
    open_transaction,
    refuse_in_transaction,
)
from prebuilds.runtime.publishing.relays import MessageQueue, OutboxRelay, Relay

TOPIC = "t"
SIZES = (1, 2, 3, 4)


def make_messages(*bodies: object) -> list[Message]:
    return [Message(topic=TOPIC, body=str(body)) for body in bodies]


def accept(message: Message) -> None:
    """Let a message pass."""


def fail_at(*bodies: str) -> Callable[[Message], None]:
    def fail(message: Message) -> None:
        if message.body in bodies:
            raise ZeroDivisionError

    return fail


class Pipe:
    """A pubsub that records each published message, and calls `before` with it first."""

    def __init__(self, before: Callable[[Message], None] = accept) -> None:
        self.before = before
        self.published: list[Message] = []
        self._publishing = threading.Lock()

    def publish(self, message: Message) -> None:
        refuse_in_transaction()
        assert self._publishing.acquire(blocking=False), "two messages at a time"
        try:
            self.before(message)
            self.published.append(message)
        finally:
            self._publishing.release()

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        raise NotImplementedError

    @property
    def bodies(self) -> list[str]:
        return [message.body for message in self.published]


def is_refused() -> bool:
    """Whether a message could not be published here and now."""
    try:
        refuse_in_transaction()
    except PublishInTransactionError:
        return True
    return False


# Where publishing is refused


def test_publishing_inside_a_transaction_names_where_it_began() -> None:
    """The file, line and function of the host's code, even with frames of the library in between."""
    store = MemoryStore()
    here = test_publishing_inside_a_transaction_names_where_it_began.__code__
    with store.transaction(), pytest.raises(PublishInTransactionError) as caught:
        MemoryPubSub().publish(Message(topic=TOPIC))  # noqa: PRB001 - that it raises is what is shown
    assert caught.value.place == f"{here.co_filename}:{here.co_firstlineno + 4} in {here.co_name}"
    assert str(caught.value) == (
        "a message cannot be published inside a transaction; hand it to `publish_on_commit`; "
        f"the one that is open began at {caught.value.place}"
    )
    MemoryPubSub().publish(Message(topic=TOPIC))


def test_a_host_package_whose_name_begins_like_ours_is_named() -> None:
    """A package that lies beside this one is no part of it, however it is called."""
    filename = f"{prebuilds.__path__[0]}_host/app.py"
    scope: dict[str, Any] = {"store": MemoryStore(), "refuse": refuse_in_transaction}
    exec(compile("def begin():\n    with store.transaction():\n        refuse()", filename, "exec"), scope)  # noqa: S102
    with pytest.raises(PublishInTransactionError) as caught:
        scope["begin"]()
    assert caught.value.place == f"{filename}:2 in begin"


def test_the_innermost_of_several_transactions_is_named() -> None:
    """Those of different stores may lie within one another; one of the same store may not."""
    outer, inner = MemoryStore(), MemoryStore()
    with outer.transaction():
        with inner.transaction(), pytest.raises(NestedTransactionError) as nested:
            outer.transaction().__enter__()
        with inner.transaction(), pytest.raises(PublishInTransactionError) as published:
            refuse_in_transaction()
        assert is_refused()
    lines = [int(caught.value.place.partition(":")[2].split()[0]) for caught in (nested, published)]
    first = test_the_innermost_of_several_transactions_is_named.__code__.co_firstlineno
    assert [line - first for line in lines] == [3, 6]
    assert not is_refused()


def test_an_error_ends_a_transaction_too() -> None:
    """Afterwards publishing is as free as before."""
    with pytest.raises(ZeroDivisionError), open_transaction("store"):
        raise ZeroDivisionError
    assert not is_refused()


@given(st.permutations(range(4)))
def test_transactions_may_end_in_any_order(order: Sequence[int]) -> None:
    """Publishing is refused until the last of them has ended."""
    opened = [open_transaction(f"store {number}") for number in range(4)]
    for transaction in opened:
        transaction.__enter__()
    for number in order:
        assert is_refused()
        opened[number].__exit__(None, None, None)
    assert not is_refused()


def test_another_thread_is_not_inside() -> None:
    """A transaction is open where it was begun, and nowhere else."""
    with open_transaction("store"), ThreadPoolExecutor(1) as pool:
        assert not pool.submit(is_refused).result()


def test_a_task_begun_inside_is_inside_until_the_transaction_ends() -> None:
    """It has a copy of the context, which must not hold it back for ever; one begun outside is never inside."""

    async def ask(event: asyncio.Event) -> bool:
        await event.wait()
        return is_refused()

    async def ask_all() -> list[bool]:
        early, late = asyncio.Event(), asyncio.Event()
        outside = asyncio.create_task(ask(early))
        with open_transaction("store"):
            inside, after = asyncio.create_task(ask(early)), asyncio.create_task(ask(late))
            early.set()
            answers = [await outside, await inside]
        late.set()
        return [*answers, await after]

    assert asyncio.run(ask_all()) == [False, True, False]


def test_a_transaction_may_end_in_another_context() -> None:
    """As web frameworks do that enter and leave a dependency on different threads, each with a copy of the context."""
    transaction = open_transaction("store")
    begun = copy_context()
    begun.run(transaction.__enter__)
    assert begun.run(is_refused)
    copy_context().run(transaction.__exit__, None, None, None)
    assert not begun.run(is_refused)
    begun.run(open_transaction("store").__enter__)


# Messages that are held back


Steps = list[Any]  # a body to add, or steps of a nested part and whether it is rolled back


def steps() -> st.SearchStrategy[Steps]:
    bodies = st.integers(0, 99)
    return st.lists(st.recursive(bodies, lambda inner: st.tuples(st.lists(inner, max_size=4), st.booleans())))


class _RolledBackError(Exception):
    pass


def follow(held: HeldMessages, tree: Steps) -> list[str]:
    """Do the steps, and return what they leave by the rule: all but what was added in a part that is rolled back."""
    left: list[str] = []
    for step in tree:
        if isinstance(step, int):
            held.add(Message(topic=TOPIC, body=str(step)))
            left.append(str(step))
            continue
        inner, is_rolled_back = step
        with suppress(_RolledBackError), held.nested():
            kept = follow(held, inner)
            roll_back_if(is_rolled_back)
            left += kept
    return left


def roll_back_if(is_rolled_back: bool) -> None:
    if is_rolled_back:
        raise _RolledBackError


@given(steps(), st.booleans())
def test_messages_are_released_in_order_unless_rolled_back(tree: Steps, is_committed: bool) -> None:
    """With the transaction all are dropped, with a nested part those of that part; the order is that of adding."""
    released: list[Message] = []
    with suppress(_RolledBackError), hold_messages("store", released.extend) as held:
        expected = follow(held, tree)
        assert released == []
        roll_back_if(not is_committed)
    assert [message.body for message in released] == (expected if is_committed else [])


def test_messages_are_released_outside_of_the_transaction() -> None:
    """So that they can be published; where there are none, nothing is called."""
    refused: list[bool] = []
    with hold_messages("store", lambda _: refused.append(is_refused())) as held:
        held.add(Message(topic=TOPIC))
        assert is_refused()
    with hold_messages("store", lambda _: refused.append(is_refused())):
        pass
    assert refused == [False]


# The queue


def test_the_queue_publishes_in_order() -> None:
    """At once, and each message once."""
    pipe = Pipe()
    queue = MessageQueue(pipe)
    queue.send(make_messages(1, 2))
    queue.send([])
    queue.send(make_messages(3))
    assert pipe.bodies == ["1", "2", "3"]
    assert queue.flush() == 0


def test_what_cannot_be_published_stays_queued(caplog: pytest.LogCaptureFixture) -> None:
    """`send` tells the log and not its caller, who has committed; `flush` raises, and publishes the rest in order."""
    pipe = Pipe(fail_at("2"))
    queue = MessageQueue(pipe)
    queue.send(make_messages(1, 2, 3))
    assert [(record.levelno, record.getMessage(), vars(record)["queued"]) for record in caplog.records] == [
        (logging.ERROR, "messages not published: ZeroDivisionError: ", 2)
    ]
    with pytest.raises(ZeroDivisionError):
        queue.flush()
    assert pipe.bodies == ["1"]
    pipe.before = accept
    assert queue.flush() == 2
    assert pipe.bodies == ["1", "2", "3"]


def test_a_full_queue_drops_the_oldest_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """In the log and in `dropped`. The newest messages stay."""
    pipe = Pipe(fail_at(*"12345"))
    queue = MessageQueue(pipe, capacity=2)
    queue.send(make_messages(1, 2, 3))
    queue.send(make_messages(4, 5))
    assert queue.dropped == 3
    dropped = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [(record.getMessage(), vars(record)["count"], vars(record)["capacity"]) for record in dropped] == [
        ("messages dropped", 1, 2),
        ("messages dropped", 2, 2),
    ]
    pipe.before = accept
    queue.flush()
    assert pipe.bodies == ["4", "5"]


def test_a_message_that_comes_back_does_not_overfill_the_queue() -> None:
    """While it was being published in vain others have filled the queue; being the oldest, it is the one to drop."""

    def fill_up(message: Message) -> None:
        if message.body == "1":
            queue.send(make_messages(2, 3))
            raise ZeroDivisionError

    pipe = Pipe(fill_up)
    queue = MessageQueue(pipe, capacity=2)
    queue.send(make_messages(1))
    assert queue.dropped == 1
    assert queue.flush() == 2
    assert pipe.bodies == ["2", "3"]


@pytest.mark.parametrize("capacity", [0, -1, True, 1.0, None])
def test_a_queue_has_room_for_one_message_at_least(capacity: Any) -> None:
    """And for a whole number of them."""
    with pytest.raises(InvalidValueError, match=r"MessageQueue\.capacity: .* must be a whole number of 1 or more"):
        MessageQueue(Pipe(), capacity=capacity)


def test_a_send_within_another_transaction_waits() -> None:
    """Stores within one another: the inner one's messages are not published while the outer one is open."""
    pipe = Pipe()
    queue = MessageQueue(pipe)
    with open_transaction("outer"), hold_messages("inner", queue.send) as held:
        held.add(Message(topic=TOPIC, body="1"))
    assert pipe.bodies == []
    assert queue.flush() == 1


# The outbox


def hand_over(store: Store, *bodies: object) -> None:
    with store.transaction() as tx:
        for message in make_messages(*bodies):
            tx.publish_on_commit(message)


def hand_over_and_fail(store: Store, *bodies: object) -> None:
    with suppress(_RolledBackError), store.transaction() as tx:
        for message in make_messages(*bodies):
            tx.publish_on_commit(message)
        raise _RolledBackError


def count_waiting(store: Store) -> int:
    with store.transaction(read_only=True) as tx:
        return len(tx.list_messages(1_000))


def test_the_relay_publishes_what_was_committed_in_order() -> None:
    """However many batches it takes, and nothing of what was rolled back."""
    store, pipe = MemoryStore(), Pipe()
    relay = OutboxRelay(store, pipe)
    hand_over(store, *range(120))
    hand_over_and_fail(store, "rolled back")
    hand_over(store, *range(120, 250))
    assert relay.flush() == 250
    assert pipe.bodies == [str(number) for number in range(250)]
    assert (relay.flush(), count_waiting(store)) == (0, 0)


def test_a_crash_between_commit_and_publish_loses_nothing() -> None:
    """The messages are in the store, and the next relay sends them."""
    store, pipe = MemoryStore(), Pipe()
    hand_over(store, 1, 2)
    assert OutboxRelay(store, pipe).flush() == 2
    assert pipe.bodies == ["1", "2"]


def test_an_error_keeps_the_rest_and_not_what_was_sent() -> None:
    """The next flush goes on with the message that failed."""
    store, pipe = MemoryStore(), Pipe(fail_at("2"))
    relay = OutboxRelay(store, pipe)
    hand_over(store, 1, 2, 3)
    with pytest.raises(ZeroDivisionError):
        relay.flush()
    assert (pipe.bodies, count_waiting(store)) == (["1"], 2)
    pipe.before = accept
    assert relay.flush() == 2
    assert pipe.bodies == ["1", "2", "3"]


class BatchPipe(Pipe):
    """A pipe that takes several messages at once, and notes how many those were each time."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.error: Exception | None = None

    def publish_all(self, messages: Sequence[Message]) -> None:
        refuse_in_transaction()
        if self.error:
            raise self.error
        self.sizes.append(len(messages))
        self.published += messages


def test_a_pubsub_that_takes_batches_is_given_them() -> None:
    """What is read from the outbox at once is sent at once, in its order; nothing waiting is nothing sent."""
    store, pipe = MemoryStore(), BatchPipe()
    hand_over(store, *range(250))
    assert OutboxRelay(store, pipe).flush() == 250
    assert pipe.bodies == [str(number) for number in range(250)]
    assert (sum(pipe.sizes), len(pipe.sizes), count_waiting(store)) == (250, 3, 0)


def test_a_batch_that_was_not_sent_stays() -> None:
    """All of it, and the next flush sends it."""
    store, pipe = MemoryStore(), BatchPipe()
    hand_over(store, 1, 2)
    pipe.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        OutboxRelay(store, pipe).flush()
    assert (pipe.bodies, count_waiting(store)) == ([], 2)
    pipe.error = None
    assert OutboxRelay(store, pipe).flush() == 2
    assert pipe.bodies == ["1", "2"]


def test_a_crash_before_the_removal_sends_twice() -> None:
    """At least once, in order: what was sent and is still in the outbox is sent again."""
    store, pipe = MemoryStore(), Pipe()
    hand_over(store, 1, 2)
    with pytest.raises(StoreBusyError):
        OutboxRelay(_FullDisk(store), pipe).flush()
    assert OutboxRelay(store, pipe).flush() == 2
    assert pipe.bodies == ["1", "2", "1", "2"]


class _FullDisk:
    """A store that can only be read."""

    max_connections = 1

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    @contextmanager
    def transaction(self, *, read_only: bool = False, **options: Any) -> Iterator[Transaction]:
        if not read_only:
            raise StoreBusyError(0)
        with self._store.transaction(read_only=True, **options) as tx:
            yield tx


def make_queue(pipe: Pipe) -> tuple[Relay, Callable[[int], None]]:
    queue = MessageQueue(pipe)
    return queue, lambda body: queue.send(make_messages(body))


def make_relay(pipe: Pipe) -> tuple[Relay, Callable[[int], None]]:
    store = MemoryStore(timeout=timedelta(minutes=1))
    relay = OutboxRelay(store, pipe)

    def send(body: int) -> None:
        hand_over(store, body)
        relay.flush()

    return relay, send


RELAYS = pytest.mark.parametrize("make", [make_queue, make_relay])
Make = Callable[[Pipe], tuple[Relay, Callable[[int], None]]]


@RELAYS
def test_a_listener_may_send_and_flush(make: Make) -> None:
    """It is called while a message is being published; what it adds follows, and nothing waits for itself."""

    def answer(message: Message) -> None:
        if len(message.body) < 3:
            send(int(message.body) * 10)
            assert relay.flush() == 0

    pipe = Pipe(answer)
    relay, send = make(pipe)
    send(1)
    assert pipe.bodies == ["1", "10", "100"]


@RELAYS
def test_one_thread_publishes_for_all_and_leaves_none_behind(make: Make) -> None:
    """A thread that comes while another publishes goes on at once. Each message is sent once, in its sender's order."""
    pipe = Pipe()
    relay, send = make(pipe)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda sender: [send(sender * 100 + number) for number in range(25)], range(1, 9)))
    assert relay.flush() == 0
    sent = [int(body) for body in pipe.bodies]
    for sender in range(1, 9):
        own = [number % 100 for number in sent if number // 100 == sender]
        assert own == list(range(25))


@RELAYS
def test_a_message_sent_during_the_last_publish_is_not_left_behind(make: Make) -> None:
    """A flush that finds another at work leaves its messages to it."""
    first, added = threading.Event(), threading.Event()

    def wait(message: Message) -> None:
        if message.body == "1":
            first.set()
            assert added.wait(60)

    pipe = Pipe(wait)
    _, send = make(pipe)
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(send, 1)
        assert first.wait(60)
        send(2)
        added.set()
        working.result(60)
    assert pipe.bodies == ["1", "2"]


def test_what_is_committed_after_the_last_look_is_not_left_behind() -> None:
    """A flush that comes when another has found nothing more, and has not ended, makes that one look again."""
    store, pipe = MemoryStore(), Pipe()
    late_comer = _LateComer(store)
    relay = OutboxRelay(late_comer, pipe)

    def come_late() -> None:
        hand_over(store, 2)
        assert relay.flush() == 0

    late_comer.come_late = come_late
    hand_over(store, 1)
    assert relay.flush() == 2
    assert pipe.bodies == ["1", "2"]


class _LateComer:
    """A store that calls `come_late` once, after the first transaction that left the outbox empty."""

    max_connections = 1

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.come_late: Callable[[], None] | None = None

    @contextmanager
    def transaction(self, **options: Any) -> Iterator[Transaction]:
        with self._store.transaction(**options) as tx:
            yield tx
            is_empty = not tx.list_messages(1)
        if self.come_late and is_empty:
            come_late, self.come_late = self.come_late, None
            come_late()


# The pool


Pool = Callable[[int, timedelta], tuple[Store, PubSub]]


@pytest.fixture(params=["memory", "sqlite"])
def make_pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pool]:
    """Makes a store with this many connections and this time-out, and a pubsub that uses the same pool."""
    with ExitStack() as stack:

        def make(size: int, timeout: timedelta) -> tuple[Store, PubSub]:
            if request.param == "memory":
                memory = MemoryStore(max_connections=size, timeout=timeout)
                return memory, MemoryPubSub(memory)
            path = tmp_path / "store.db"
            sqlite = SQLiteStore(path, max_connections=size, timeout=timeout, survives_power_loss=False)
            pubsub = SQLitePubSub(stack.enter_context(sqlite), interval=timedelta(milliseconds=5))
            stack.callback(pubsub.close)
            return sqlite, pubsub

        yield make


@contextmanager
def hold_others(store: Store) -> Iterator[None]:
    """Readers that keep every connection of the pool but one, as a loaded host does."""
    ready, over = threading.Barrier(store.max_connections), threading.Event()

    def read() -> None:
        with store.transaction(read_only=True):
            ready.wait(60)
            over.wait(60)

    with ThreadPoolExecutor(store.max_connections) as pool, ExitStack() as stack:
        stack.callback(over.set)
        readers = [pool.submit(read) for _ in range(store.max_connections - 1)]
        ready.wait(60)
        yield
        over.set()
        for reader in readers:
            reader.result(60)


def force(pubsub: PubSub, message: Message) -> None:
    """Publish inside a transaction as if nobody had refused to: from a context that knows of none."""
    Context().run(pubsub.publish, message)


def listen(pubsub: PubSub) -> Callable[[int], list[str]]:
    """Subscribe. The returned function waits for this many messages and returns their bodies."""
    heard: Queue[Message] = Queue()
    pubsub.subscribe(TOPIC, heard.put)
    return lambda count: [heard.get(timeout=60).body for _ in range(count)]


@pytest.mark.parametrize("size", SIZES)
def test_publishing_inside_a_transaction_exhausts_the_pool(size: int, make_pool: Pool) -> None:
    """The transaction holds the last connection and publishing waits for one more, which never comes."""
    store, pubsub = make_pool(size, timedelta(milliseconds=20))
    with hold_others(store), pytest.raises(PoolExhaustedError) as caught, store.transaction():
        force(pubsub, Message(topic=TOPIC))
    assert caught.value.max_connections == size


@pytest.mark.parametrize("size", SIZES)
def test_publishing_after_commit_needs_no_second_connection(size: int, make_pool: Pool) -> None:
    """Under the very load that exhausts the pool otherwise."""
    store, pubsub = make_pool(size, timedelta(minutes=1))
    take = listen(pubsub)
    with hold_others(store):
        hand_over(store, 1)
        assert OutboxRelay(store, pubsub).flush() == 1
    assert take(1) == ["1"]


def run_load(threads: int, work: Callable[[int], None]) -> list[BaseException | None]:
    """So many threads at work at once; what each of them raised."""
    with ThreadPoolExecutor(threads) as pool:
        return [future.exception(60) for future in [pool.submit(work, number) for number in range(threads)]]


@pytest.mark.parametrize("size", SIZES)
def test_under_load_every_connection_waits_for_another(size: int, make_pool: Pool) -> None:
    """Each transaction publishes while all connections are taken: none succeeds, as none lets go of its own."""
    store, pubsub = make_pool(size, timedelta(milliseconds=50))
    taken, given_up = threading.Barrier(size), threading.Barrier(size)

    def work(_: int) -> None:
        with store.transaction(read_only=True):
            taken.wait(60)
            try:
                force(pubsub, Message(topic=TOPIC))
            finally:
                given_up.wait(60)

    kinds = Counter(type(error) for error in run_load(size, work))
    assert kinds[PoolExhaustedError] >= 1
    assert kinds[PoolExhaustedError] + kinds[StoreBusyError] == size  # who waits for the one who writes is busy


@pytest.mark.parametrize("size", SIZES)
def test_under_load_the_librarys_way_never_exhausts_the_pool(size: int, make_pool: Pool) -> None:
    """Twice as many threads as connections commit and relay over and over; the messages of each come in order."""
    store, pubsub = make_pool(size, timedelta(minutes=1))
    take, relay = listen(pubsub), OutboxRelay(store, pubsub)

    def work(number: int) -> None:
        for count in range(20):
            hand_over(store, f"{number}:{count}")
            relay.flush()

    assert run_load(2 * size, work) == [None] * (2 * size)
    bodies = [body.split(":") for body in take(2 * size * 20)]
    for number in range(2 * size):
        assert [int(count) for name, count in bodies if name == str(number)] == list(range(20))


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_message_has_only_what_every_store_can_hold(text: str) -> None:
    """PostgreSQL holds no NUL, and nothing encodes half a surrogate: refused at once, and by all stores alike."""
    with pytest.raises(InvalidValueError, match=r"Message\.topic: .* none of them a control character$"):
        Message(topic=text)
    with pytest.raises(InvalidValueError, match=r"Message\.body: .* must be text without NUL characters and lone surr"):
        Message(topic="t", body=text)
