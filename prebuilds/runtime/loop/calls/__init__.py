"""Calls of the host's builder: which effects are a batch, and how its calls are made, each with a time limit.

The loop's executor enters here. Nothing here reads or writes the store, but to renew the lease.
"""
