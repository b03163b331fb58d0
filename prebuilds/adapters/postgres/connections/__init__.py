"""Connections to PostgreSQL: the pool, time-outs, statements, and what errors of the server mean.

A connection string enters; statements of one transaction leave.
"""
