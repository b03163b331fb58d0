"""Clocks that follow a store: when they ask it, and what they show in between."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Event

import pytest

from prebuilds.adapters.memory import MemoryStore
from prebuilds.runtime import SYSTEM_CLOCK
from prebuilds.runtime.clocks import FollowingClock, choose_clock
from prebuilds.runtime.ports import Clock
from prebuilds.testing import ManualClock
from runtime.world import NOW

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class Host(ManualClock):
    """A machine whose clock can be set, while its count of seconds goes on."""

    off = 5 * HOUR

    def now(self) -> datetime:
        return super().now() + self.off


class Server:
    """A store's clock, which counts how often it is asked, and may be out of reach."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.asked = 0
        self.is_down = False
        self.off = timedelta()

    def read_time(self) -> datetime:
        self.asked += 1
        if self.is_down:
            raise TimeoutError
        return NOW + timedelta(seconds=self._host.monotonic()) + self.off


@pytest.fixture
def host() -> Host:
    return Host(NOW)


@pytest.fixture
def server(host: Host) -> Server:
    return Server(host)


@pytest.fixture
def clock(host: Host, server: Server) -> Clock:
    return FollowingClock(server.read_time, host)


def test_it_shows_the_stores_time_and_waits_as_the_host_does(host: Host, server: Server, clock: Clock) -> None:
    """However wrong the host's clock is, and without a trip for each instant."""
    assert clock.now() == NOW
    assert clock.wait(Event(), 20 * SECOND) is False
    assert (clock.now(), clock.monotonic(), host.monotonic()) == (NOW + 20 * SECOND, 20, 20)
    assert server.asked == 1


def test_it_asks_again_after_half_a_minute(host: Host, server: Server, clock: Clock) -> None:
    """So that it follows a store whose clock is set, or which another machine takes over."""
    server.off = HOUR
    host.advance(29 * SECOND)
    assert clock.now() == NOW + 29 * SECOND
    host.advance(SECOND)
    assert clock.now() == NOW + 30 * SECOND + HOUR
    assert server.asked == 2


def test_it_asks_at_once_when_the_hosts_clock_jumps(host: Host, server: Server, clock: Clock) -> None:
    """As after a machine has slept: its count of seconds may have stood still, and its clock is right again."""
    host.off += 2 * SECOND
    server.off = 2 * SECOND
    assert clock.now() == NOW + 2 * SECOND
    assert clock.now() == NOW + 2 * SECOND
    assert server.asked == 2


def test_it_never_asks_inside_a_transaction(host: Host, server: Server, clock: Clock) -> None:
    """There, a second connection may be one too many."""
    host.advance(HOUR)
    host.off += HOUR
    with MemoryStore().transaction():
        assert clock.now() == NOW + HOUR
    assert server.asked == 1


def test_it_goes_on_while_the_store_is_out_of_reach(host: Host, server: Server, clock: Clock) -> None:
    """The count of seconds is right, and it asks again half a minute later."""
    server.is_down = True
    host.advance(30 * SECOND)
    assert (clock.now(), clock.now(), server.asked) == (NOW + 30 * SECOND, NOW + 30 * SECOND, 2)
    server.is_down, server.off = False, HOUR
    host.advance(30 * SECOND)
    assert clock.now() == NOW + 60 * SECOND + HOUR


def test_it_raises_when_nothing_tells_the_time(host: Host, server: Server, clock: Clock) -> None:
    """After a jump the count of seconds may be wrong too, so no instant is better than a wrong one."""
    server.is_down = True
    host.off -= HOUR
    with pytest.raises(TimeoutError):
        clock.now()


def test_a_store_without_a_clock_is_on_one_machine(host: Host) -> None:
    """There the machine's clock counts, or the one that is given."""
    assert choose_clock(MemoryStore(), SYSTEM_CLOCK) is SYSTEM_CLOCK
    assert choose_clock(MemoryStore(), host) is host
