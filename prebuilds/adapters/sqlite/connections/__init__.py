"""Connections to a SQLite file: opening it, turns for those who write, statements.

A path enters; statements of one transaction leave.
"""
