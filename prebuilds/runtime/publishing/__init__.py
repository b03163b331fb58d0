"""Publishing after the commit, and never inside a transaction.

A store wraps its transactions in the guard. Relays send the messages that were committed. Messages enter with a
transaction and leave after its commit.
"""
