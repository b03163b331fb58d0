"""Transactions, and the store that begins them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import Enum
from typing import Protocol, runtime_checkable

from prebuilds.runtime.models import Lease
from prebuilds.runtime.ports.claims import ClaimCountWrites
from prebuilds.runtime.ports.fleet_reads import FleetReads
from prebuilds.runtime.ports.leases import LeaseWrites
from prebuilds.runtime.ports.messages import OutboxWrites
from prebuilds.runtime.ports.settings import BudgetWrites, CounterWrites, MembershipWrites, PauseWrites, SettingsWrites
from prebuilds.runtime.ports.workspaces import BuildWrites, ClaimWrites, WorkspaceWrites


class Isolation(Enum):
    """What a transaction sees of others that run at the same time. A store may isolate more than it is asked to."""

    READ_COMMITTED = "read_committed"
    """Each statement sees what was committed before it."""
    REPEATABLE_READ = "repeatable_read"
    """All statements see the same moment."""


@runtime_checkable
class Nesting(Protocol):
    """Parts of a transaction, a capability."""

    def nested(self) -> AbstractContextManager[None]:
        """A part of the transaction: an error that leaves it rolls back this part alone. Committed with the whole."""
        ...


class Transaction(
    FleetReads,
    WorkspaceWrites,
    BuildWrites,
    ClaimWrites,
    SettingsWrites,
    PauseWrites,
    BudgetWrites,
    MembershipWrites,
    CounterWrites,
    ClaimCountWrites,
    LeaseWrites,
    OutboxWrites,
    Nesting,
    Protocol,
):
    """Everything that can be read and written together. It lasts as long as its `with` block.

    It may lack a `Capability`; `Capability.is_in` tells.
    """


class Store(Protocol):
    """Begins transactions."""

    @property
    def max_connections(self) -> int:
        """How many transactions can be open at once."""
        ...

    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> AbstractContextManager[Transaction]:
        """A transaction: committed when its block ends, rolled back when an error leaves it.

        If it is `read_only`, every write raises `ReadOnlyTransactionError`.

        With a `lease`, raises `LeaseLostError` unless its token is still the last one given out. Another holder that
        wants the lease waits until the transaction has ended. Raises `PoolExhaustedError` if no connection becomes free
        in time and `NestedTransactionError` inside another transaction of this store.

        Raises `CommitUnknownError` if the connection is lost during the commit: it may or may not have succeeded.
        """
        ...
