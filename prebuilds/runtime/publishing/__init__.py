"""Publishing after commit, and never inside a transaction.

The guard is what a store wraps its transactions in; relays send what was committed. Messages enter with a transaction
and leave after its commit.
"""
