"""What the runtime needs from its host, as small protocols, one for each role.

- A host implements them over its own tables. `prebuilds.adapters` has three complete implementations, and
  `prebuilds.testing` checks any other.
- Every read and every write belongs to a transaction. A `Store` begins them; a `Transaction` has every role.
- Every wait is bounded. `TimeoutError` from any method means that nothing was written and that a retry is safe;
  all other errors end the transaction with nothing written.
- A method that is asked to do what is already done does nothing, and its return value says so.
- Several threads call these methods at the same time, each with its own transaction.
"""

from prebuilds.runtime.ports.capabilities import Capability, find_capabilities
from prebuilds.runtime.ports.claims import ClaimCountWrites, DirectClaims
from prebuilds.runtime.ports.fleet_reads import FleetReads
from prebuilds.runtime.ports.host import CancelingBuilder, Clock, WorkspaceBuilder
from prebuilds.runtime.ports.leases import LeaseWrites
from prebuilds.runtime.ports.messages import BatchPubSub, OutboxWrites, PubSub, PubSubMaker
from prebuilds.runtime.ports.rows import Rows
from prebuilds.runtime.ports.settings import BudgetWrites, CounterWrites, MembershipWrites, PauseWrites, SettingsWrites
from prebuilds.runtime.ports.store_clocks import StoreClock
from prebuilds.runtime.ports.stores import Isolation, Nesting, Store, Transaction
from prebuilds.runtime.ports.workspaces import BuildWrites, ClaimWrites, WorkspaceWrites

__all__ = [
    "BatchPubSub",
    "BudgetWrites",
    "BuildWrites",
    "CancelingBuilder",
    "Capability",
    "ClaimCountWrites",
    "ClaimWrites",
    "Clock",
    "CounterWrites",
    "DirectClaims",
    "FleetReads",
    "Isolation",
    "LeaseWrites",
    "MembershipWrites",
    "Nesting",
    "OutboxWrites",
    "PauseWrites",
    "PubSub",
    "PubSubMaker",
    "Rows",
    "SettingsWrites",
    "Store",
    "StoreClock",
    "Transaction",
    "WorkspaceBuilder",
    "WorkspaceWrites",
    "find_capabilities",
]
