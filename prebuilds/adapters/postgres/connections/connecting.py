"""How connections are made.

- Credentials, TLS and other settings of the connection come from the DSN alone. No error and no log shows any of it:
  libpq's complaint about a bad DSN quotes a part of it, so it is not passed on.
- Nothing is prepared or set in a session, so PgBouncer may give each transaction another session.
- Instants travel as whole microseconds, independent of the session's time zone.
"""

from __future__ import annotations

import struct
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap, Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Format

from prebuilds.adapters.postgres.connections.timeouts import Timeouts, count_milliseconds
from prebuilds.errors import InvalidValueError

Connection = psycopg.Connection[tuple[Any, ...]]

_EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)  # PostgreSQL's
_unpack_microseconds = struct.Struct("!q").unpack


class _InstantLoader(Loader):
    format = Format.BINARY

    def load(self, data: bytes | bytearray | memoryview) -> datetime:
        return _EPOCH + timedelta(0, 0, *_unpack_microseconds(data))


def make_parameters(dsn: str, timeouts: Timeouts) -> dict[str, Any]:
    """The arguments of `psycopg.connect`: those of the DSN, and defaults for the rest.

    Raises `InvalidValueError`, without the DSN, if libpq cannot read it.
    """
    seconds = -(-timeouts.connection // timedelta(seconds=1))
    return {
        "application_name": "prebuilds",
        "connect_timeout": max(seconds, 2),  # libpq takes no less
        "tcp_user_timeout": count_milliseconds(timeouts.connection + timeouts.statement),
        **_parse_dsn(dsn),
        "autocommit": True,  # our own statements begin and end transactions
        "prepare_threshold": None,
        "context": _make_adapters(),
    }


def _parse_dsn(dsn: str) -> dict[str, Any]:
    try:
        if isinstance(dsn, str):
            return dict(conninfo_to_dict(dsn))
    except psycopg.Error:
        pass
    raise InvalidValueError("PostgresStore", "dsn", "...", "a connection string or URI of libpq; it is not shown here")


def _make_adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_loader("timestamptz", _InstantLoader)
    return adapters
