"""Demand: a target that follows what is claimed (R21).

`learning` finds a `DemandModel` from past claims, and `following` moves a `DemandState` on and finds its target. The
other modules are the parts, each a value and the functions that move it on. Inside, instants are seconds since 1970 in
UTC, and durations are seconds.
"""
