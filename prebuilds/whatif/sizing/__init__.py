"""What each pool size would have had: counted exactly over a trace, or calculated without one.

A trace and a lead time enter; a `Curve` of hits, idle hours and waits leaves. No decision is simulated here: each claim
is replaced at once.
"""
