"""One connection to the file: how its transactions begin and end, and what its errors mean.

- By default a commit waits until it is on the disk (`synchronous = FULL`). Either way a killed process loses nothing:
  the kernel has the pages it wrote. But without the wait a power loss could undo the last commits: a workspace that a
  user has claimed would be a prebuild again, and be deleted or given to another user.
- A transaction that may write takes the write lock at once (`BEGIN IMMEDIATE`). So it never fails half-way because
  another has written since it read.
- A full or failing disk raises `StoreUnavailableError`: the transaction wrote nothing, and the store works again once
  the disk does. If the disk fails during a commit, the outcome is unknown: `CommitUnknownError`.
- A read-only transaction sees the state at its beginning, and SQLite itself refuses its writes.
- The waiting for other processes is done here. SQLite's own wait backs off to a tenth of a second, so that those who
  have waited longest try least often.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
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

    If `is_frozen`, it assumes that the file does not change, and may be used for one transaction only.
    """

    def __init__(self, path: str, *, seconds: float, survives_power_loss: bool, read_only: bool = False) -> None:
        self._path = path
        self._seconds = seconds
        self.is_abandoned = False
        self.is_read_only = False
        self._raw, self.is_frozen = open_file(path, read_only=read_only)
        level = "FULL" if survives_power_loss else "NORMAL"
        try:  # this reads the file, which another process may be making
            self.wait_for(lambda: self.execute(f"PRAGMA synchronous = {level}"), monotonic() + seconds)
        except BaseException:
            self._raw.close()
            raise

    @property
    def in_transaction(self) -> bool:
        return self._raw.in_transaction

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Run a statement.

        Raises `StoreBusyError`, `StoreUnavailableError`, `ReadOnlyTransactionError`, and other errors of sqlite3.
        """
        return self._run(self._raw.execute, sql, parameters)

    def execute_all(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row of parameters. Raises what `execute` raises."""
        self._run(self._raw.executemany, sql, rows)

    def _run(self, run: Callable[[str, Any], sqlite3.Cursor], sql: str, parameters: Any) -> sqlite3.Cursor:
        self._require_own()
        try:
            return run(sql, parameters)
        except sqlite3.OperationalError as error:
            if is_busy(error):
                raise StoreBusyError(self._seconds) from error
            if self.is_read_only and str(error) == _READ_ONLY:
                raise ReadOnlyTransactionError from error
            if str(error) in (_FULL, _BROKEN, _READ_ONLY):
                raise StoreUnavailableError(f"{self._path}: {error}") from error
            raise

    def wait_for(self, attempt: Callable[[], _T], deadline: float) -> _T:
        """Try until no other process is in the way. Raises `StoreBusyError` at the deadline."""
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
        if read_only is not self.is_read_only:  # only on a change, as it makes SQLite compile all statements again
            self.execute(f"PRAGMA query_only = {int(read_only)}")
            self.is_read_only = read_only
        self.wait_for(self._begin_reading if read_only else self._begin_writing, deadline)

    def commit(self) -> None:
        """Commit the transaction. Raises what `execute` raises, and `CommitUnknownError`."""
        try:
            self.execute("COMMIT")
        except StoreUnavailableError as error:
            if str(error.__cause__) == _BROKEN:
                raise CommitUnknownError(error.problem) from error
            raise

    def roll_back(self) -> None:
        """Undo the transaction, unless SQLite has ended it already, as it does for some errors."""
        if not self.is_abandoned and self._raw.in_transaction:
            self._raw.execute("ROLLBACK")

    def close(self) -> None:
        if not self.is_abandoned:
            self._raw.close()

    def abandon(self) -> None:
        """Never touch the connection again: it belongs to the parent process."""
        self.is_abandoned = True
        _abandoned.append(self._raw)

    def _begin_reading(self) -> None:
        self.execute("BEGIN")
        self.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # takes the snapshot now, not at the first read

    def _begin_writing(self) -> None:
        self.execute("BEGIN IMMEDIATE")

    def _require_own(self) -> None:
        if self.is_abandoned:
            raise ForkedStoreError(self._path)


def calculate_pause(waited: float) -> float:
    """Seconds until the next attempt, after `waited` seconds.

    At first the attempts are few, to cost others little. Then they come more often, so that the longest wait ends
    first. A lock that is held for a second belongs to no transaction of this library, and is not worth the CPU time.
    """
    if waited < 0.03:
        return 0.002
    return 0.0003 if waited < 1 else 0.005


def is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether others hold the file. Judged by the text, as Python 3.10 does not give SQLite's error code."""
    return str(error) in _BUSY
