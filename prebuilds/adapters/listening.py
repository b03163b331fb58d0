"""Subscriptions to a feed of notices, and the thread that delivers the notices to them.

- A notice is a message with a number. Numbers rise in the order of the commits, so a reader that remembers the last
  number it has seen misses none.
- A forked process goes on where its parent was, on a thread of its own, and takes none of its parent's locks.
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

_MAX_DOUBLINGS = 6  # of the wait, while reads keep failing


class Notice(NamedTuple):
    """A message and its number."""

    number: int
    message: Message


class Feed(Protocol):
    """Where notices come from. Only one thread reads and waits."""

    batch: int
    """The most notices that one `read` returns."""

    def find_last(self) -> int:
        """A number below those of all notices that are published from now on."""
        ...

    def read(self, after: int) -> Sequence[Notice]:
        """The first notices with a larger number than `after`."""
        ...

    def wait(self, doublings: int) -> None:
        """Wait until there may be more to read, but no longer than the usual interval, doubled this many times."""
        ...

    def wake(self) -> None:
        """End the current wait, or the next one if none is under way."""
        ...

    def close(self) -> None:
        """Release what waiting needs."""
        ...

    def begin_anew(self) -> None:
        """After a fork, in the child: leave alone what belongs to the parent, and make it anew."""
        ...


class _Subscription(NamedTuple):
    topic: str
    listener: Callable[[Message], None]
    after: int  # the number of the last notice before it


class Listening:
    """The subscriptions to one feed. One thread, which the first subscription starts, calls all listeners."""

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
        """Call the listener with every message that is published on the topic from now on.

        Returns a function that ends the subscription.
        """
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
        """Stop listening. Waits for a listener that is running, unless that listener is the caller."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        self._feed.wake()
        if thread is None:
            self._feed.close()
        elif thread is not threading.current_thread():
            thread.join()

    def _begin_anew(self) -> None:
        """After a fork, in the child: start a thread again, as only the forking thread was copied.

        The store was made first, so its own handler has run and the child has its own connections.
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
            pass  # nothing more to read in this process
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
            except Exception as error:  # the next attempt may work
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
