"""Calls of the host's builder: which effects are a batch, how its calls are made, each with a time limit, and how long
a pass waits for them.

The loop's executor and passes enter here. Nothing here reads or writes the store, but to renew the lease.
"""
