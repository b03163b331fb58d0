"""Targets that follow claims: what they are, what a pool that keeps to one would have had, and policies of others.

A trace, a lead time and a `TargetFunction` enter; hits, idle hours, builds and deletes leave. No decision is simulated
here: what a target wants is begun or deleted at once.
"""
