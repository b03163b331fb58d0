"""What each pool size would have had, exactly: by counting over a trace, or by formula without one.

A trace and a lead time enter; a `Curve` of hits, idle hours and waits leaves. Nothing here decides anything: a pool is
kept at its target at once.
"""
