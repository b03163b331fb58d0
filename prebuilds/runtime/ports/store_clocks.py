"""The time of a store, for hosts whose own clocks may be wrong."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from prebuilds.runtime.ports.host import Clock


@runtime_checkable
class StoreClock(Protocol):
    """A capability of a `Store`: it has a clock of its own, which all its clients share.

    Where a store has it, the library asks this clock wherever it would ask the machine's. So clients whose clocks are
    off agree about leases, expiry and outcomes. A clock of the host's own, as in a test, is left as it is.
    """

    def follow_clock(self, host: Clock) -> Clock:
        """A clock that shows the store's time, however wrong `host` is, and sets itself again now and then.

        It waits and counts seconds as `host` does. It sets itself outside transactions only, so that it never needs a
        second connection. Several threads may share it.
        """
        ...
