"""Counts what a program sends to PostgreSQL. Each statement that psycopg runs is one trip to the server and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg


@contextmanager
def counting_trips() -> Iterator[list[bytes]]:
    """The text of every statement that psycopg runs in the block, in order."""
    original, seen = psycopg.Cursor.execute, []

    def execute(cursor: Any, query: Any, *args: Any, **options: Any) -> Any:
        seen.append(query)
        return original(cursor, query, *args, **options)

    psycopg.Cursor.execute = execute  # type: ignore[method-assign, assignment]
    try:
        yield seen
    finally:
        psycopg.Cursor.execute = original  # type: ignore[method-assign]
