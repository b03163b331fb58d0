"""Capabilities: what a store may lack, and how to ask."""

from __future__ import annotations

from enum import Enum

from prebuilds.errors import InvalidValueError
from prebuilds.runtime.ports.claims import ClaimCountWrites
from prebuilds.runtime.ports.leases import LeaseWrites
from prebuilds.runtime.ports.messages import OutboxWrites
from prebuilds.runtime.ports.settings import BudgetWrites, CounterWrites, MembershipWrites, PauseWrites
from prebuilds.runtime.ports.stores import Nesting


class Capability(Enum):
    """What a store may lack.

    The methods of a capability are a protocol that can be checked at run time. A transaction has these methods even if
    it lacks the capability. Then a read finds nothing, and a write does nothing unless that would break a promise: such
    a write raises `MissingCapabilityError`. A transaction without an attribute `capabilities` has all of them.
    """

    LEASE = "lease"
    """`LeaseWrites`. Without it, every reconciler that asks for the lease gets it: run one only."""
    OUTBOX = "outbox"
    """`OutboxWrites`. Without it, no message is sent: the loop hears of nothing, and looks at its interval."""
    COUNTERS = "counters"
    """`CounterWrites`. Without it, nothing is counted, and metrics have no counters."""
    NESTING = "nesting"
    """`Nesting`. The library itself needs no part that is rolled back alone. `nested` raises without it."""
    PAUSE = "pause"
    """`PauseWrites`. Without it, reconciliation is never paused. `set_paused` raises."""
    BUDGETS = "budgets"
    """`BudgetWrites`. Without it, only the policy has budgets. `put_budget` raises."""
    MEMBERSHIPS = "memberships"
    """`MembershipWrites`. Without it, the prebuilds user counts as a member of every organisation."""

    CLAIM_COUNTS = "claim_counts"
    """`ClaimCountWrites`. Without it, nothing is learned from claims."""

    @property
    def methods(self) -> frozenset[str]:
        """The names of its methods, as rows have them."""
        return _METHODS[self]

    def is_in(self, tx: object) -> bool:
        """Whether a transaction has it."""
        return self in getattr(tx, "capabilities", Capability)


_PORTS: dict[Capability, type] = {
    Capability.LEASE: LeaseWrites,
    Capability.OUTBOX: OutboxWrites,
    Capability.COUNTERS: CounterWrites,
    Capability.NESTING: Nesting,
    Capability.PAUSE: PauseWrites,
    Capability.BUDGETS: BudgetWrites,
    Capability.MEMBERSHIPS: MembershipWrites,
    Capability.CLAIM_COUNTS: ClaimCountWrites,
}


_METHODS = {
    capability: frozenset(name for name in dir(port) if not name.startswith("_")) for capability, port in _PORTS.items()
}


def find_capabilities(rows: type) -> frozenset[Capability]:
    """The capabilities of a class of rows. Raises `InvalidValueError` if it has only some methods of one."""
    return frozenset(capability for capability in Capability if _has_all(rows, capability))


def _has_all(rows: type, capability: Capability) -> bool:
    missing = [name for name in sorted(capability.methods) if not hasattr(rows, name)]
    if 0 < len(missing) < len(capability.methods):
        allowed = f"a method, as the class has other methods of the capability {capability.value!r}"
        raise InvalidValueError(rows.__name__, missing[0], None, allowed)
    return not missing
