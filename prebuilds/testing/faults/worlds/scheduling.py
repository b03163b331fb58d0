"""Scheduling: several actors, of which one acts at a time. A seed decides whose turn is next.

- Actors run in threads, and hand over a baton whenever they pause. Nothing sleeps or waits for a time.
- The same seed and the same actors give the same turns. With seed 0, each actor runs to its end, in order.
- While a writing transaction is open, others may read, but none may begin another writing one: it would wait inside
  the store, where the scheduler cannot give turns. For the same reason, no more transactions are open at once than the
  store has connections.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from random import Random
from typing import Protocol

_SWITCHES = 0.3  # the share of pauses at which another actor goes on


class TurnKeeper(Protocol):
    """Gives an actor its turns."""

    def pause(self, name: str) -> None:
        """Let the others act; return when it is this actor's turn again."""
        ...

    def write_turn(self, name: str) -> AbstractContextManager[None]:
        """A context in which no other actor is in such a context."""
        ...

    def connection_turn(self, name: str) -> AbstractContextManager[None]:
        """A context for as many actors at once as there are connections."""
        ...


class Scheduler:
    """Runs actors, and gives each its turns. At most `connections` of them have a connection at once; None: all."""

    def __init__(self, seed: int, *, connections: int | None = None) -> None:
        self._free = connections
        self._random = Random(seed) if seed else None  # noqa: S311 - it decides turns, and keeps no secret
        self._batons: dict[str, threading.Semaphore] = {}
        self._waits: dict[str, str] = {}
        self._writer: str | None = None
        self._errors: list[BaseException] = []

    def run(self, actors: Mapping[str, Callable[[], None]]) -> None:
        """Run these, by name, until all have ended. Raises the first error of an actor."""
        self._batons = {name: threading.Semaphore(0) for name in actors}
        threads = [
            threading.Thread(target=self._act, args=(name, function), name=f"actor {name}", daemon=True)
            for name, function in actors.items()
        ]
        for thread in threads:
            thread.start()
        self._hand_over()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def pause(self, name: str) -> None:
        """Give up the turn. Does nothing for a name that is no actor's."""
        baton = self._batons.get(name)
        if baton and self._is_switching():
            self._hand_over(after=name)
            baton.acquire()

    @contextmanager
    def write_turn(self, name: str) -> Iterator[None]:
        """The right to have a writing transaction open, once no other actor has it."""
        if name not in self._batons or self._writer == name:
            yield
            return
        self._wait(name, "write", lambda: self._writer is None)
        self._writer = name
        try:
            yield
        finally:
            self._writer = None
            self._end_waits("write")

    @contextmanager
    def connection_turn(self, name: str) -> Iterator[None]:
        """The right to have a connection, once one is free. An actor that has one must not ask for a second."""
        if self._free is None:
            yield
            return
        self._wait(name, "connect", self._has_free)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
            self._end_waits("connect")

    def _wait(self, name: str, what: str, is_there: Callable[[], bool]) -> None:
        """Let others act until `is_there`."""
        while name in self._batons and not is_there():
            self._waits[name] = what
            self._hand_over()
            self._batons[name].acquire()

    def _has_free(self) -> bool:
        return self._free is None or self._free > 0

    def _end_waits(self, what: str) -> None:
        self._waits = {name: waited for name, waited in self._waits.items() if waited != what}

    def _act(self, name: str, function: Callable[[], None]) -> None:
        self._batons[name].acquire()
        try:
            function()
        except BaseException as error:  # raised again where the actors were started
            self._errors.append(error)
        finally:
            del self._batons[name]
            self._hand_over()

    def _is_switching(self) -> bool:
        return len(self._batons) > 1 and self._random is not None and self._random.random() < _SWITCHES

    def _hand_over(self, *, after: str | None = None) -> None:
        """Give the baton to an actor that can act; if possible, not to the one that had it."""
        ready = [name for name in self._batons if name not in self._waits]
        others = [name for name in ready if name != after] or ready
        if others:
            chosen = self._random.choice(others) if self._random else others[0]
            self._batons[chosen].release()
