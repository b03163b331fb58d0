"""The loop at work: a pass reads one moment, plans, and carries out the effects, under a lease.

The host's ports enter. The result of each pass leaves. Start with `Reconciler`.
"""
