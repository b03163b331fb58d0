"""Plans: one decision for each preset, in plain words, and how two plans differ.

A `GlobalSnapshot`, an instant and a policy enter; a `Plan` leaves.
"""
