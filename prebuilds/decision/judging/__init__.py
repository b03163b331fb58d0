"""Judging settings: what can be known to go wrong before a fleet runs, as findings with numbers and a remedy.

Presets, budgets and the time that a build takes enter; findings leave. What also needs claims is in `whatif`.
"""
