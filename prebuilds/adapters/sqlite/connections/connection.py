"""One connection to the file: how it is opened, how its transactions begin and end, and what its errors mean.

- What has been committed is on the disk (`synchronous = FULL`), unless that is not asked for. A killed process loses
  nothing either way, as the pages that it wrote are with the kernel. A machine that loses its power would lose the last
  commits: a workspace that a user has claimed would be a prebuild again, and be deleted or given to somebody else.
- A write transaction is a writer from its first statement (`BEGIN IMMEDIATE`), so that it never fails half-way because
  somebody else has written since it read.
- What does not fit on the disk, or fails on it, is `StoreUnavailableError`: nothing of the transaction was written, and
  the store works again once the disk does. Only if the disk fails during a commit nobody knows whether it was done.
- A read-only transaction sees the moment it began at, and SQLite itself refuses its writes.
- Waiting for other processes is done here. SQLite's own waiting backs off, to a tenth of a second in the end: the
  longer one has waited the longer one waits, while others go first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, TypeVar

from prebuilds.adapters.sqlite.connections.opening import open_file
from prebuilds.errors import (
    CommitUnknownError,
    ForkedStoreError,
    ReadOnlyTransactionError,
    StoreBusyError,
    StoreUnavailableError,
)

_T = TypeVar("_T")

_BUSY = ("database is locked", "database table is locked", "database schema is locked", "locking protocol")
_READ_ONLY = "attempt to write a readonly database"
_FULL = "database or disk is full"
_BROKEN = "disk I/O error"

_abandoned: list[sqlite3.Connection] = []  # of a parent process; they must not even be closed


class Connection:
    """One connection, used by one thread at a time. `seconds` is how long it waits for other processes.

    One that `is_frozen` takes the file to stay as it is, and is good for one transaction.
    """

    def __init__(self, path: str, *, seconds: float, survives_power_loss: bool, read_only: bool = False) -> None:
        self._path = path
        self._seconds = seconds
        self.is_abandoned = False
        self.is_read_only = False
        self._raw, self.is_frozen = open_file(path, read_only=read_only)
        level = "FULL" if survives_power_loss else "NORMAL"
        try:  # reads the file, which another process may be making
            self.wait_for(lambda: self.execute(f"PRAGMA synchronous = {level}"), monotonic() + seconds)
        except BaseException:
            self._raw.close()
            raise

    @property
    def in_transaction(self) -> bool:
        return self._raw.in_transaction

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Run a statement.

        Raises `StoreBusyError`, `StoreUnavailableError`, `ReadOnlyTransactionError`, and what sqlite3 raises.
        """
        self._require_own()
        try:
            return self._raw.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if is_busy(error):
                raise StoreBusyError(self._seconds) from error
            if self.is_read_only and str(error) == _READ_ONLY:
                raise ReadOnlyTransactionError from error
            if str(error) in (_FULL, _BROKEN, _READ_ONLY):
                raise StoreUnavailableError(f"{self._path}: {error}") from error
            raise

    def wait_for(self, attempt: Callable[[], _T], deadline: float) -> _T:
        """Do this as soon as no other process is in its way. Raises `StoreBusyError` at the deadline."""
        began = monotonic()
        while True:
            try:
                return attempt()
            except StoreBusyError:
                if self._raw.in_transaction:
                    self._raw.execute("ROLLBACK")
                now = monotonic()
                if now >= deadline:
                    raise
                sleep(min(calculate_pause(now - began), deadline - now))

    def begin(self, *, read_only: bool, deadline: float) -> None:
        """Begin a transaction."""
        if read_only is not self.is_read_only:  # seldom, as it has all statements compiled again
            self.execute(f"PRAGMA query_only = {int(read_only)}")
            self.is_read_only = read_only
        self.wait_for(self._begin_reading if read_only else self._begin_writing, deadline)

    def commit(self) -> None:
        """Commit the transaction. Raises `CommitUnknownError` too."""
        try:
            self.execute("COMMIT")
        except StoreUnavailableError as error:
            if str(error.__cause__) == _BROKEN:
                raise CommitUnknownError(error.problem) from error
            raise

    def roll_back(self) -> None:
        """Undo the transaction, if there is still one: some errors end it within SQLite."""
        if not self.is_abandoned and self._raw.in_transaction:
            self._raw.execute("ROLLBACK")

    def close(self) -> None:
        if not self.is_abandoned:
            self._raw.close()

    def abandon(self) -> None:
        """Never touch the connection again: it belongs to the process that this one was forked from."""
        self.is_abandoned = True
        _abandoned.append(self._raw)

    def _begin_reading(self) -> None:
        self.execute("BEGIN")
        self.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # the moment is now, not that of the first read

    def _begin_writing(self) -> None:
        self.execute("BEGIN IMMEDIATE")

    def _require_own(self) -> None:
        if self.is_abandoned:
            raise ForkedStoreError(self._path)


def calculate_pause(waited: float) -> float:
    """Seconds until the next attempt, after so many of waiting.

    Short waits should cost others little, and whoever has waited longer should come before those who have not: it
    tries more often. What lasts for a second is no transaction of this library, and is not worth the processor.
    """
    if waited < 0.03:
        return 0.002
    return 0.0003 if waited < 1 else 0.005


def is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether others hold the file. By its text, as Python 3.10 does not tell SQLite's code."""
    return str(error) in _BUSY
