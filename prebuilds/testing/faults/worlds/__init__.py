"""A world: a store with a few presets, everybody who acts on it, and what must hold whatever happens.

A scenario enters; a `Violated` leaves where an invariant broke.
"""
