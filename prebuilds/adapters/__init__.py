"""Stores and pubsubs ready to use: in memory, on SQLite and on PostgreSQL; and a builder for trying things out.

What the SQL adapters share lies beside their rooms.
"""
