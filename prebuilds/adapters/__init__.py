"""Stores and pubsubs that are ready to use: in memory, on SQLite, and on PostgreSQL."""
