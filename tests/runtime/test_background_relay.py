"""The relay in the background: nobody waits for it, nothing is forgotten, and it tries again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from prebuilds.adapters.memory import MemoryPubSub, MemoryStore
from prebuilds.runtime import PREBUILDS_CHANGED, BackgroundRelay, Claims, Message, OutboxRelay
from runtime.world import World

PATIENCE = 30.0  # seconds


class Flushes:
    """A relay that does what the test says, one flush after another; then nothing more."""

    def __init__(self, *acts: Callable[[], object]) -> None:
        self._acts = iter(acts)
        self.count = 0
        self.threads: set[int] = set()
        self.is_done = threading.Event()

    def flush(self) -> int:
        self.count += 1
        self.threads.add(threading.get_ident())
        act = next(self._acts, None)
        if act is None:
            self.is_done.set()
        else:
            act()
        return 7


class Pauses:
    """A clock that waits for nothing and remembers how long it should have."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def wait(self, event: threading.Event, timeout: timedelta) -> bool:
        self.waited.append(timeout.total_seconds())
        return event.is_set()


def fail() -> None:
    raise TimeoutError("the server is away")


@pytest.fixture
def opened() -> Iterator[Callable[..., BackgroundRelay]]:
    """Relays that are closed in the end."""
    relays: list[BackgroundRelay] = []

    def open_relay(*args: object, **options: object) -> BackgroundRelay:
        relays.append(BackgroundRelay(*args, **options))  # type: ignore[arg-type]
        return relays[-1]

    yield open_relay
    for relay in relays:
        relay.close()


def test_a_flush_returns_before_the_messages_are_sent(opened: Callable[..., BackgroundRelay]) -> None:
    """It is another thread that sends them."""
    may_end = threading.Event()
    flushes = Flushes(lambda: may_end.wait(PATIENCE))
    relay = opened(flushes)
    assert relay.flush() == 0
    may_end.set()
    relay.close()
    assert threading.get_ident() not in flushes.threads


def test_what_is_committed_during_a_flush_is_sent_after_it(opened: Callable[..., BackgroundRelay]) -> None:
    """However many ask for it meanwhile, it is one flush more."""
    began, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        began.set()
        may_end.wait(PATIENCE)

    flushes = Flushes(hold)
    relay = opened(flushes)
    relay.flush()
    assert began.wait(PATIENCE)
    for _ in range(5):
        relay.flush()
    may_end.set()
    assert flushes.is_done.wait(PATIENCE)
    assert flushes.count == 2


def test_a_flush_that_fails_is_tried_again(
    opened: Callable[..., BackgroundRelay], caplog: pytest.LogCaptureFixture
) -> None:
    """After pauses that double up to half a minute; each failure is logged."""
    pauses, flushes = Pauses(), Flushes(*[fail] * 11)
    opened(flushes, clock=pauses).flush()
    assert flushes.is_done.wait(PATIENCE)
    assert pauses.waited == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]
    assert caplog.messages == ["messages not published: TimeoutError: the server is away"] * 11


def test_closing_flushes_once_more_and_ends_the_thread() -> None:
    """Even if that fails. Later flushes are made at once."""
    for act in (fail, lambda: None):
        flushes = Flushes(lambda: None, act)
        relay = BackgroundRelay(flushes, clock=Pauses())  # type: ignore[arg-type]
        relay.flush()
        relay.close()
        relay.close()
        count = flushes.count
        assert 1 <= count <= 2
        assert relay.flush() == 7
        assert (flushes.count, threading.get_ident() in flushes.threads) == (count + 1, True)


def test_a_relay_that_nobody_used_closes() -> None:
    """It has no thread to end."""
    flushes = Flushes()
    BackgroundRelay(flushes).close()
    assert flushes.count == 0


def test_a_claim_is_heard_of_through_the_background(opened: Callable[..., BackgroundRelay]) -> None:
    """The loop's message comes, and leaves the outbox."""
    world = World()
    world.fill()
    pubsub, heard = MemoryPubSub(), threading.Event()
    pubsub.subscribe(PREBUILDS_CHANGED, lambda message: message.body == "p" and heard.set())
    relay = opened(OutboxRelay(world.store, pubsub))
    Claims(world.store, clock=world.clock, relay=relay).claim("p", owner_id="ann", name="dev")
    assert heard.wait(PATIENCE)
    relay.close()
    with world.store.transaction(read_only=True) as tx:
        assert list(tx.list_messages(1)) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_thread_of_its_own(opened: Callable[..., BackgroundRelay]) -> None:
    """The parent's is not copied."""
    store, pubsub = MemoryStore(), MemoryPubSub()
    heard = threading.Event()
    pubsub.subscribe("topic", lambda _: heard.set())
    relay = opened(OutboxRelay(store, pubsub))
    relay.flush()
    child = os.fork()
    if not child:
        try:
            with store.transaction() as tx:
                tx.publish_on_commit(Message(topic="topic"))
            relay.flush()
            os._exit(0 if heard.wait(PATIENCE) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
