"""The rules of a store, one function each, by subject: transactions, workspaces, builds, leases, messages.

Each module has its `CHECKS`; `check_store` runs them in order.
"""
