"""What the pubsubs of SQL stores share: subscriptions, and the thread that brings notices to them.

- A notice is a message with a number. Numbers rise in the order of the commits, so a listener that remembers the last
  number that it has seen misses none.
- A process that is forked off goes on where its parent was, on a thread of its own, and takes no lock of its parent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from prebuilds.errors import ForkedStoreError, StoreClosedError
from prebuilds.runtime.forks import follow_forks
from prebuilds.runtime.logs import log_error
from prebuilds.runtime.models import Message

_log = logging.getLogger(__name__)

_MAX_DOUBLINGS = 6  # of the wait, while reads fail


class Notice(NamedTuple):
    """A message and its number."""

    number: int
    message: Message


class Feed(Protocol):
    """Where notices come from. One thread alone reads and waits."""

    batch: int
    """How many notices one `read` gives at most."""

    def find_last(self) -> int:
        """A number that no notice has yet which is published from now on, nor a larger one than theirs."""
        ...

    def read(self, after: int) -> Sequence[Notice]:
        """The first notices with a number larger than this."""
        ...

    def wait(self, doublings: int) -> None:
        """Until there may be more to read, or for the usual interval, doubled so many times."""
        ...

    def wake(self) -> None:
        """End the wait that is under way, or else the next one."""
        ...

    def close(self) -> None:
        """Let go of what waiting needs."""
        ...

    def begin_anew(self) -> None:
        """After a fork, in the child: leave what belongs to the parent alone, and make it again."""
        ...


class _Subscription(NamedTuple):
    topic: str
    listener: Callable[[Message], None]
    after: int  # the last notice that was there before


class Listening:
    """The subscriptions to one feed. Their listeners are called on one thread, which begins with the first of them."""

    def __init__(self, feed: Feed, *, name: str) -> None:
        self._feed = feed
        self._name = name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._seen = 0
        self._is_closed = False
        follow_forks(self, Listening._begin_anew)

    def subscribe(self, topic: str, listener: Callable[[Message], None]) -> Callable[[], None]:
        """Call the listener with what is published on the topic from now on. Returns what ends it."""
        self.require_open()
        subscription = _Subscription(topic, listener, self._feed.find_last())
        with self._lock:
            self.require_open()
            self._subscriptions = (*self._subscriptions, subscription)
            if not self._is_running():
                self._seen = subscription.after
                self._start()
        return partial(self._end, subscription)

    def require_open(self) -> None:
        """Raises `StoreClosedError` once it has been closed."""
        if self._is_closed:
            raise StoreClosedError

    def close(self) -> None:
        """Stop listening, and wait for a listener that is at it, unless it is the one who closes."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        self._feed.wake()
        if thread is None:
            self._feed.close()
        elif thread is not threading.current_thread():
            thread.join()

    def _begin_anew(self) -> None:
        """After a fork, in the child: listen again, as no thread but the one that forked has come along.

        The store follows forks before this does, as it was made before, and has connections of the child's own by then.
        """
        self._lock = threading.Lock()
        if not self._is_closed:
            self._feed.begin_anew()
            if self._subscriptions and not self._is_running():
                self._start()

    def _end(self, subscription: _Subscription) -> None:
        with self._lock:
            self._subscriptions = tuple(other for other in self._subscriptions if other is not subscription)

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._follow()
        except (StoreClosedError, ForkedStoreError):
            pass  # there is nothing to read any more, in this process
        finally:
            self._feed.close()

    def _follow(self) -> None:
        failures = 0
        while not self._is_closed:
            try:
                notices = self._feed.read(self._seen)
                failures = 0
            except (StoreClosedError, ForkedStoreError):
                raise
            except Exception as error:  # it may work at the next attempt
                log_error(_log, "notices not read", error, after=self._seen)
                notices, failures = (), min(failures + 1, _MAX_DOUBLINGS)
            for notice in notices:
                self._deliver(notice)
                self._seen = notice.number
            if len(notices) < self._feed.batch:
                self._feed.wait(failures)

    def _deliver(self, notice: Notice) -> None:
        for subscription in self._subscriptions:
            if subscription.topic == notice.message.topic and subscription.after < notice.number:
                _call(subscription, notice)


def _call(subscription: _Subscription, notice: Notice) -> None:
    try:
        subscription.listener(notice.message)
    except Exception:
        _log.exception("a listener failed", extra={"topic": notice.message.topic})
