"""The transaction over rows: every role that a store needs, and the capabilities that its rows have."""

from __future__ import annotations

from typing import Any, NoReturn, cast

from prebuilds.errors import ReadOnlyTransactionError
from prebuilds.runtime.ports.capabilities import Capability
from prebuilds.runtime.ports.rows import Rows
from prebuilds.runtime.ports.stores import Transaction
from prebuilds.runtime.row_transactions.builds import RowBuildWrites
from prebuilds.runtime.row_transactions.claims import RowClaimWrites
from prebuilds.runtime.row_transactions.lacking import LackingRows
from prebuilds.runtime.row_transactions.reads import RowFleetReads
from prebuilds.runtime.row_transactions.settings import RowSettingsWrites
from prebuilds.runtime.row_transactions.workspaces import RowWorkspaceWrites

_READS = ("find_", "is_", "list_", "nested")
_OWNERS = {name: capability for capability in Capability for name in capability.methods}


class RowTransaction(RowFleetReads, RowWorkspaceWrites, RowBuildWrites, RowClaimWrites, RowSettingsWrites):
    """A `Transaction` over the rows of a store, which begins, commits and rolls back.

    Calls of a capability go to the rows if they have it. If it is `read_only`, every write raises
    `ReadOnlyTransactionError`.
    """

    def __getattr__(self, name: str) -> Any:
        """A method of a capability. It is kept, as the next call will ask for it again."""
        if name not in _OWNERS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        rows = self.rows if _OWNERS[name] in self.capabilities else LackingRows(self.rows)
        method = _refuse if self._is_read_only and not name.startswith(_READS) else getattr(rows, name)
        setattr(self, name, method)
        return method


def _refuse(*_given: object, **_options: object) -> NoReturn:
    raise ReadOnlyTransactionError


def make_transaction(rows: Rows, *, read_only: bool = False) -> Transaction:
    """The transaction over these rows. If it is `read_only`, every write raises `ReadOnlyTransactionError`."""
    return cast(Transaction, RowTransaction(rows, read_only=read_only))
