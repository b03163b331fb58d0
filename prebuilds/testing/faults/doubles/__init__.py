"""What stands in for the world of a reconciler, and fails on purpose: builders, clocks, pubsubs, stores.

A real store or pubsub enters; one with faults leaves.
"""
