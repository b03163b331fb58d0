"""Calls of the host's builder: each with a time limit, and those of a batch in groups that grow.

The loop's executor enters here, and nothing here reads or writes the store, but to renew the lease.
"""
