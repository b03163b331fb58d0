"""Hints that there may be notices to read: from this process, and by LISTEN from others.

- A hint may be lost, and one may come for nothing; it only ends a wait early.
- LISTEN needs a connection of its own for as long as it listens, outside of the pool. If that is lost, another is made,
  after a wait that doubles with each failure, up to a minute.
- A process that is forked off closes its ends of its parent's sockets, and never touches the parent's connection.
"""

from __future__ import annotations

import logging
import selectors
import socket
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg
from psycopg import sql

from prebuilds.adapters.postgres.connections.connecting import Connection

_log = logging.getLogger(__name__)

_FIRST_PAUSE, _LAST_PAUSE = 0.1, 60.0  # seconds between two attempts to connect

_abandoned: list[Connection] = []  # of a parent process; they must not even be closed


class Hints:
    """Waits for hints on a channel; only one thread waits. Without `parameters` it does not listen to others."""

    def __init__(self, parameters: dict[str, Any] | None, channel: str) -> None:
        self._parameters = parameters
        self._channel = channel
        self._reset()

    def _reset(self) -> None:
        self._connection: Connection | None = None
        self._pause = _FIRST_PAUSE
        self._retry_at = 0.0
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0)
        self._writer.settimeout(0)

    def give(self) -> None:
        """A hint from this process."""
        with suppress(OSError):  # full, so that there is a hint already; or closed, so that nobody waits
            self._writer.send(b"\0")

    def prepare(self) -> None:
        """Begin to listen, if it does not yet and may try again. What comes from here on will end a wait."""
        if self._parameters is not None and self._connection is None and monotonic() >= self._retry_at:
            try:
                connection: Connection = psycopg.connect(**self._parameters)
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            except psycopg.Error as error:
                self._lose(error)
            else:
                self._connection, self._pause = connection, _FIRST_PAUSE

    def wait(self, seconds: float) -> None:
        """Until there is a hint, or a listener is to be connected again, or for so long."""
        if self._parameters is not None and self._connection is None:
            seconds = min(seconds, max(self._retry_at - monotonic(), 0))
        with selectors.DefaultSelector() as selector:
            selector.register(self._reader, selectors.EVENT_READ)
            if self._connection is not None:
                selector.register(self._connection.fileno(), selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(seconds)]
        if self._reader in ready:
            self._reader.recv(4_096)
        if self._connection is not None:
            self._drain(self._connection)

    def close(self) -> None:
        """Listen no more."""
        if self._connection is not None:
            self._connection.close()
        self._reader.close()
        self._writer.close()

    def begin_anew(self) -> None:
        """After a fork, in the child: hear hints of its own, and take none from its parent."""
        if self._connection is not None:
            _abandoned.append(self._connection)
        self._reader.close()
        self._writer.close()
        self._reset()

    def _drain(self, connection: Connection) -> None:
        """Take what has come, all of which is one hint."""
        try:
            for _ in connection.notifies(timeout=0):
                pass
        except psycopg.Error as error:
            self._lose(error)

    def _lose(self, error: psycopg.Error) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._retry_at = monotonic() + self._pause
        first_line = next(iter(str(error).splitlines()), "")
        _log.warning("not listening", extra={"error": first_line, "retry_seconds": self._pause})
        self._pause = min(self._pause * 2, _LAST_PAUSE)
