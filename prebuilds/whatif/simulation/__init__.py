"""What a fleet would have done, decided by the very functions that decide in production.

A `Scenario`, the claims and a seed enter; a `SimulationResult` leaves, from whose event log everything else is worked
out: measures, the timeline, and why each claim missed.
"""
