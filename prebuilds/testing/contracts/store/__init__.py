"""The rules of a store, one function each, by what they are about: transactions, workspaces, builds, leases, messages.

Each module has its `CHECKS`; `check_store` runs them in order.
"""
