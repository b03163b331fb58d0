"""Connections to a SQLite file: opening it, the queue of writers, statements.

A path enters; the statements of one transaction leave.
"""
