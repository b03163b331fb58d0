"""The transaction over rows: every role that a store needs, and the capabilities that its rows have."""

from __future__ import annotations

from typing import Any, NoReturn, cast

from prebuilds.errors import MissingCapabilityError, ReadOnlyTransactionError
from prebuilds.runtime.ports.capabilities import Capability
from prebuilds.runtime.ports.rows import Rows
from prebuilds.runtime.ports.stores import Transaction
from prebuilds.runtime.row_transactions.builds import RowBuildWrites
from prebuilds.runtime.row_transactions.claims import RowClaimWrites
from prebuilds.runtime.row_transactions.reads import RowFleetReads
from prebuilds.runtime.row_transactions.settings import RowSettingsWrites
from prebuilds.runtime.row_transactions.workspaces import RowWorkspaceWrites

_CAPABILITIES = {name: capability for capability in Capability for name in capability.methods}
_READS = ("find_", "is_", "list_", "nested")


class RowTransaction(RowFleetReads, RowWorkspaceWrites, RowBuildWrites, RowClaimWrites, RowSettingsWrites):
    """A `Transaction` over the rows of a store, which begins, commits and rolls back.

    It has the methods of a capability if the rows have them, and passes these calls on. If it is `read_only`, every
    write raises `ReadOnlyTransactionError`.
    """

    def __getattr__(self, name: str) -> Any:
        """A method of a capability. Raises `MissingCapabilityError`, an `AttributeError`, if the rows lack it."""
        if name not in _CAPABILITIES:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        method = getattr(self.rows, name, None)
        if method is None:
            raise MissingCapabilityError(type(self.rows).__name__, _CAPABILITIES[name].value, name)
        return _refuse if self._is_read_only and not name.startswith(_READS) else method


def _refuse(*_given: object, **_options: object) -> NoReturn:
    raise ReadOnlyTransactionError


def make_transaction(rows: Rows, *, read_only: bool = False) -> Transaction:
    """The transaction over these rows. A type checker takes it for one with every capability."""
    return cast(Transaction, RowTransaction(rows, read_only=read_only))
