"""The scheduler: a seed decides the turns, and nobody waits inside the store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from prebuilds.testing import Scheduler


def take_turns(seed: int) -> list[str]:
    turns: list[str] = []
    scheduler = Scheduler(seed)

    def act(name: str) -> None:
        for _ in range(10):
            turns.append(name)
            scheduler.pause(name)

    scheduler.run({name: lambda name=name: act(name) for name in "abc"})  # type: ignore[misc]
    return turns


def test_the_seed_decides_whose_turn_it_is() -> None:
    """The same seed gives the same turns, another others, and 0 each actor after the other."""
    assert take_turns(0) == [*"a" * 10, *"b" * 10, *"c" * 10]
    assert take_turns(7) == take_turns(7) != take_turns(8)
    assert sorted(take_turns(7)) == sorted(take_turns(0))


def count_most_inside(scheduler: Scheduler, take_turn: Callable[[str], AbstractContextManager[None]]) -> int:
    """How many of three actors were in such a context at once, at most; none is left inside."""
    inside: list[str] = []
    counts: list[int] = []

    def act(name: str) -> None:
        for _ in range(20):
            scheduler.pause(name)
            with take_turn(name):
                inside.append(name)
                counts.append(len(inside))
                scheduler.pause(name)
                inside.remove(name)

    scheduler.run({name: lambda name=name: act(name) for name in "abc"})  # type: ignore[misc]
    assert not inside
    return max(counts)


def test_one_actor_at_a_time_has_the_turn_to_write() -> None:
    """The others go on until they want to write too."""
    scheduler = Scheduler(5)
    assert count_most_inside(scheduler, scheduler.write_turn) == 1


def test_no_more_actors_hold_connections_than_there_are() -> None:
    """The others go on until they want one too."""
    scheduler = Scheduler(5, connections=2)
    assert count_most_inside(scheduler, scheduler.connection_turn) == 2


def test_an_actor_that_fails_stops_no_other_and_is_reported() -> None:
    """The first error is raised when all have ended."""
    ended: list[str] = []

    def fail() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        Scheduler(1).run({"a": fail, "b": lambda: ended.append("b")})
    assert ended == ["b"]
