"""Test doubles for the world of a reconciler, which fail on purpose: builders, clocks, pubsubs and stores.

A real store or pubsub enters; one with faults leaves.
"""
