"""A world: a store with a few presets, all processes that act on it, and what must hold in it.

A scenario enters; a `Violated` leaves where an invariant broke.
"""
