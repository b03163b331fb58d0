"""A whole `Transaction` over the rows of a store: the guards of every write, once and in Python.

An adapter gives the rows, and gets the transaction. Of the runtime, only `ports` and the rules for workspaces are
needed here.
"""

from prebuilds.runtime.row_transactions.transactions import RowTransaction, make_transaction

__all__ = ["RowTransaction", "make_transaction"]
