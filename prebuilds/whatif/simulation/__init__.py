"""What a fleet would have done. The functions that decide in production decide here too.

A `Scenario`, claims and a seed enter; a `SimulationResult` leaves. It keeps an event log for each preset, and works out
the measures, the timeline and the cause of each miss from it.
"""
