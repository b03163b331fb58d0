"""Scheduling: several actors, of which one at a time acts; a seed decides whose turn it is next.

- Actors run in threads that hand over a baton whenever they pause. Nobody sleeps, and nobody waits for a time.
- The same seed and the same actors give the same turns. Seed 0 lets each go on to its end, in their order.
- While a transaction that writes is open, others may read, but none may begin one that writes: they would wait for
  each other inside of the store, where no turn can be given. For the same reason no more transactions are open at once
  than the store has connections.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from random import Random
from typing import Protocol

_SWITCHES = 0.3  # how often another goes on, where several can


class TurnKeeper(Protocol):
    """How an actor gives up its turn."""

    def pause(self, name: str) -> None:
        """Let the others act; return when it is this actor's turn again."""
        ...

    def write_turn(self, name: str) -> AbstractContextManager[None]:
        """A context in which no other actor is in such a context."""
        ...

    def connection_turn(self, name: str) -> AbstractContextManager[None]:
        """A context in which only so many actors are at once as there are connections."""
        ...


class Scheduler:
    """Runs actors, and gives each its turns. `connections` is how many of them can have one at once; None: all."""

    def __init__(self, seed: int, *, connections: int | None = None) -> None:
        self._free = connections
        self._random = Random(seed) if seed else None  # noqa: S311 - it decides turns, and keeps no secret
        self._batons: dict[str, threading.Semaphore] = {}
        self._waits: dict[str, str] = {}
        self._writer: str | None = None
        self._errors: list[BaseException] = []

    def run(self, actors: Mapping[str, Callable[[], None]]) -> None:
        """Run these, by name, until all have ended. Raises the first error that ended one."""
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
        """Give up the turn; nothing for whoever is none of the actors."""
        baton = self._batons.get(name)
        if baton and self._is_switching():
            self._hand_over(after=name)
            baton.acquire()

    @contextmanager
    def write_turn(self, name: str) -> Iterator[None]:
        """The right to have a transaction open that writes, as soon as nobody else has it."""
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
        """The right to have a connection, as soon as one is free. Whoever has one asks for no second."""
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
        """Let others act until this is there."""
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
        """Give the baton to one of those that can act, in preference not to the one that had it."""
        ready = [name for name in self._batons if name not in self._waits]
        others = [name for name in ready if name != after] or ready
        if others:
            chosen = self._random.choice(others) if self._random else others[0]
            self._batons[chosen].release()
