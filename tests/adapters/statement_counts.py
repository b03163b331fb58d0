"""Counts what a program sends to PostgreSQL. Each statement of psycopg, and each single call, is one trip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from prebuilds.adapters.postgres.connections import single_calls


@contextmanager
def counting_trips() -> Iterator[list[bytes]]:
    """The text of every statement that psycopg runs in the block, in order."""
    original, seen = psycopg.Cursor.execute, []

    def execute(cursor: Any, query: Any, *args: Any, **options: Any) -> Any:
        seen.append(query)
        return original(cursor, query, *args, **options)

    def send(connection: Any, text: bytes) -> Any:
        seen.append(text)
        return send_alone(connection, text)

    send_alone = single_calls.send
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", execute)
        patch.setattr(single_calls, "send", send)
        yield seen
