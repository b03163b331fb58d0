"""Capabilities: what a store may lack, and how to ask."""

from __future__ import annotations

from enum import Enum

from prebuilds.runtime.ports.leases import LeaseWrites
from prebuilds.runtime.ports.messages import OutboxWrites
from prebuilds.runtime.ports.settings import CounterWrites, MembershipWrites, PauseWrites
from prebuilds.runtime.ports.stores import Nesting


class Capability(Enum):
    """What a store may lack. A transaction has all methods of a capability, or none of them."""

    LEASE = "lease"
    """`LeaseWrites`. Without it, run one reconciler only: nothing keeps two from working at the same time."""
    OUTBOX = "outbox"
    """`OutboxWrites`. Without it, the loop hears of nothing, and looks at its interval."""
    COUNTERS = "counters"
    """`CounterWrites`. Without it, metrics have no counters."""
    NESTING = "nesting"
    """`Nesting`. Only hosts use it: the library rolls back no part of a transaction."""
    PAUSE = "pause"
    """`PauseWrites`. Without it, nobody can pause reconciliation."""
    MEMBERSHIPS = "memberships"
    """`MembershipWrites`. Without it, the host itself lets the prebuilds user into organisations."""

    @property
    def methods(self) -> frozenset[str]:
        """The names of its methods."""
        return _METHODS[self]

    def is_in(self, tx: object) -> bool:
        """Whether a transaction has it."""
        return all(hasattr(tx, name) for name in self.methods)


def _list_methods(port: type) -> frozenset[str]:
    return frozenset(name for name, value in vars(port).items() if callable(value) and not name.startswith("_"))


_METHODS = {
    Capability.LEASE: _list_methods(LeaseWrites),
    Capability.OUTBOX: _list_methods(OutboxWrites),
    Capability.COUNTERS: _list_methods(CounterWrites),
    Capability.NESTING: _list_methods(Nesting),
    Capability.PAUSE: _list_methods(PauseWrites),
    Capability.MEMBERSHIPS: _list_methods(MembershipWrites),
}
