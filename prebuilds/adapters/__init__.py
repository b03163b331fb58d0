"""Stores and pubsubs that are ready to use: in memory, and on SQLite."""
