"""Opening a file to read and write it, or only to read it, even without permission to write.

- SQLite records the readers of a file in files beside it, and removes those with the last reader. So readers open the
  file for writing too, if the file and its folder allow it.
- If they do not, the file can be read while another process has it open. If none has, SQLite refuses, as it cannot
  record the reader. Then the file is read as it stands, without locks, for one transaction only: a writer may come
  after it.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from prebuilds.runtime.fleet_rows import hash_preset

_STATEMENTS = 256  # kept compiled per connection; more than there are
_NOWHERE = ("attempt to write a readonly database", "unable to open database file")


class Opened(NamedTuple):
    """A connection, and whether it assumes that the file does not change."""

    raw: sqlite3.Connection
    is_frozen: bool = False


def open_file(path: str, *, read_only: bool) -> Opened:
    """Open the file; unless `read_only`, a missing one is made. Raises what sqlite3 raises."""
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
    raw = sqlite3.connect(
        address, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS, uri=uri
    )
    raw.create_function("hash_preset", 1, hash_preset, deterministic=True)  # for migrations
    return raw
