"""Notices: messages in a table, numbered in the order of their commits.

A publish holds a lock from before it takes its numbers until it commits. So no smaller number can appear later, and a
reader that remembers the last number it has seen misses none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from prebuilds.adapters.listening import Notice
from prebuilds.adapters.postgres.connections.statements import Statements
from prebuilds.runtime.models import Message

BATCH = 1_000  # notices that are read, or deleted, at once
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('prebuilds.notices:' || current_schema(), 0))"
_INSERT = """
    INSERT INTO notices (topic, body, published_at)
    SELECT topic, body, clock_timestamp()
    FROM unnest(%(topics)s::text[], %(bodies)s::text[]) WITH ORDINALITY AS given (topic, body, rank)
    ORDER BY rank
"""
DELETE = """
    DELETE FROM notices WHERE id IN (
        SELECT id FROM notices WHERE published_at < clock_timestamp() - %(retention)s::interval
        ORDER BY published_at LIMIT %(limit)s
    )
"""
LIST = "SELECT id, topic, body FROM notices WHERE id > %(after)s ORDER BY id LIMIT %(limit)s"


def insert_notices(statements: Statements, messages: Sequence[Message], *, retention: timedelta) -> None:
    """Add messages in their order, wake listeners once, and delete notices older than `retention`."""
    statements.write_late(_LOCK)
    statements.write_late(
        _INSERT,
        topics=[message.topic for message in messages],
        bodies=[message.body for message in messages],
    )
    statements.write_late("SELECT pg_notify(current_schema(), '')")
    statements.write_late(DELETE, retention=retention, limit=BATCH)


def list_notices(statements: Statements, after: int) -> Sequence[Notice]:
    """The first notices with a number larger than this one."""
    rows = statements.fetch(LIST, after=after, limit=BATCH)
    return [Notice(number, Message(topic=topic, body=body)) for number, topic, body in rows]


def find_last(statements: Statements) -> int:
    """The largest number in the table. Every later notice has a larger one."""
    row = statements.fetch_one("SELECT coalesce(max(id), 0) FROM notices")
    return int(row[0]) if row else 0
