"""The loop at work: a pass reads one moment, plans it, and carries the effects out, under a lease.

The ports of the host enter; the result of each pass leaves. `Reconciler` is the way in.
"""
