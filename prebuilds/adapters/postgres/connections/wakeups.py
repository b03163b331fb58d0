"""Wakeups for the reader of notices: from this process, and from others by NOTIFY.

- A wakeup may be lost, or come for nothing. It only ends a wait early.
- LISTEN needs a connection of its own, outside of the pool. If that is lost, another is made, after a wait that doubles
  with each failure, up to a minute.
- A forked process closes its copies of its parent's sockets, and never touches the parent's connection.
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


class WakeupChannel:
    """Waits for wakeups, on one thread only. Without `parameters` it does not listen to other processes."""

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

    def wake(self) -> None:
        """Wake the reader from this process."""
        with suppress(OSError):  # full, so a wakeup is there already; or closed, so no one waits
            self._writer.send(b"\0")

    def connect(self) -> None:
        """Begin to listen, unless it does or has to wait before it tries again. A later NOTIFY ends the next wait."""
        if self._parameters is not None and self._connection is None and monotonic() >= self._retry_at:
            try:
                connection: Connection = psycopg.connect(**self._parameters)
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            except psycopg.Error as error:
                self._lose(error)
            else:
                self._connection, self._pause = connection, _FIRST_PAUSE

    def wait(self, seconds: float) -> None:
        """Wait for a wakeup, for the time to connect again, or for `seconds` at most."""
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
        """Stop listening."""
        if self._connection is not None:
            self._connection.close()
        self._reader.close()
        self._writer.close()

    def begin_anew(self) -> None:
        """After a fork, in the child: make sockets of its own, and leave the parent's wakeups to the parent."""
        if self._connection is not None:
            _abandoned.append(self._connection)
        self._reader.close()
        self._writer.close()
        self._reset()

    def _drain(self, connection: Connection) -> None:
        """Take everything that has come: together it is one wakeup."""
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
