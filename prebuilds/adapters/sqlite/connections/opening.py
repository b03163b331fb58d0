"""Opening a file: to read and write it, or only to read it, though it may not be written.

- SQLite notes beside a file who reads it, and clears that away when the last one goes. Where the file and its folder
  may be written it is opened so, by readers too.
- Where they may not, a file that a process works on can be read beside it. One that nobody works on SQLite refuses to
  read, as it can note nothing. Then the file is read as it is, without locks. That is good for one transaction:
  somebody who may write could come after it.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

_STATEMENTS = 256  # that a connection keeps compiled; more than there are
_NOWHERE = ("attempt to write a readonly database", "unable to open database file")


class Opened(NamedTuple):
    """A connection, and whether the file was taken to stay as it is."""

    raw: sqlite3.Connection
    is_frozen: bool = False


def open_file(path: str, *, read_only: bool) -> Opened:
    """Raises what sqlite3 raises. A file that is to be written is made if it is not there."""
    if not read_only:
        return Opened(_connect(path))
    address = Path(path).as_uri()
    if _is_writable(path) and _is_writable(os.path.dirname(path)):  # noqa: PTH120 - a path here is text
        return Opened(_connect(f"{address}?mode=rw", uri=True))
    return _open_protected(path, f"{address}?mode=ro")


def _open_protected(path: str, address: str) -> Opened:
    raw = _connect(address, uri=True)
    try:
        raw.execute("SELECT 1 FROM sqlite_master LIMIT 1")
    except sqlite3.OperationalError as error:
        raw.close()
        if str(error) not in _NOWHERE or Path(f"{path}-wal").exists():
            raise
        return Opened(_connect(f"{address}&immutable=1", uri=True), is_frozen=True)
    except BaseException:
        raw.close()
        raise
    return Opened(raw)


def _is_writable(path: str) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _connect(address: str, *, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(
        address, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS, uri=uri
    )
