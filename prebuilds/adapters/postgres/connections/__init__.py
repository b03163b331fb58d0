"""Connections to PostgreSQL: the pool, time-outs, statements, wakeups, and what errors of the server mean.

A connection string enters; the statements of one transaction leave.
"""
