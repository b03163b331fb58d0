"""Migrating a file to the current version, even while other processes try the same.

- Each step is one transaction, which writes the new version too. So it is done completely or not at all, and once.
- A file that this library does not know is left as it is, byte for byte.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from prebuilds.adapters.sqlite.connections.connection import Connection
from prebuilds.adapters.sqlite.tables.schema import APPLICATION_ID, VERSIONS
from prebuilds.errors import StoreNotFoundError, UnsupportedStoreError


def connect(
    path: str,
    *,
    seconds: float,
    survives_power_loss: bool,
    create: bool = True,
    read_only: bool = False,
    versions: Sequence[Sequence[str]] = VERSIONS,
) -> Connection:
    """A connection to the file, migrated to the last of these versions unless it is only to be read.

    Raises `StoreNotFoundError` for a missing file that is not to be made, `UnsupportedStoreError` for a file of a later
    version, of an earlier one that is only to be read, or of another application, and `StoreBusyError`.
    """
    if not create and not os.path.exists(path):  # noqa: PTH110 - a path here is text
        raise StoreNotFoundError(path)
    with _refusing(path):
        connection = Connection(path, seconds=seconds, survives_power_loss=survives_power_loss, read_only=read_only)
    try:
        with _refusing(path):
            _prepare(connection, path, monotonic() + seconds, versions, create=create, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _refusing(path: str) -> Iterator[None]:
    """Turn errors of SQLite about the file into `UnsupportedStoreError`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise UnsupportedStoreError(path, str(error)) from error


def _prepare(
    connection: Connection,
    path: str,
    deadline: float,
    versions: Sequence[Sequence[str]],
    *,
    create: bool,
    read_only: bool,
) -> None:
    version = _check_file(connection, path, len(versions), deadline)
    if version == 0 and not create:
        raise StoreNotFoundError(path)
    if not read_only:
        _bring_up(connection, path, deadline, versions)
    elif version < len(versions):
        problem = f"it is of version {version}, and can be read once it has been opened to be written"
        raise UnsupportedStoreError(path, problem)


def _bring_up(connection: Connection, path: str, deadline: float, versions: Sequence[Sequence[str]]) -> None:
    mode = connection.wait_for(lambda: _fetch_value(connection, "PRAGMA journal_mode = WAL"), deadline)
    if mode != "wal":
        raise UnsupportedStoreError(path, f"its file system allows no write-ahead log, only the mode {mode}")
    # Look at the version before taking the write lock: usually there is nothing to do.
    while _read_version(connection, deadline) < len(versions):
        _migrate(connection, path, deadline, versions)


def _check_file(connection: Connection, path: str, known: int, deadline: float) -> int:
    """The version of the file, 0 for an empty one. A file of another application is refused before it is written."""
    connection.begin(read_only=True, deadline=deadline)
    try:
        return _check_version(connection, path, known)
    finally:
        connection.roll_back()


def _check_version(connection: Connection, path: str, known: int) -> int:
    application = _fetch_value(connection, "PRAGMA application_id")
    version: int = _fetch_value(connection, "PRAGMA user_version")
    is_empty = _fetch_value(connection, "SELECT count(*) FROM sqlite_master") == 0
    if application != APPLICATION_ID and not (application == version == 0 and is_empty):
        raise UnsupportedStoreError(path, "it is the database of another application")
    if version > known:
        problem = f"it is of version {version}, and this release of prebuilds knows versions up to {known}"
        raise UnsupportedStoreError(path, problem)
    return version


def _read_version(connection: Connection, deadline: float) -> int:
    version: int = connection.wait_for(lambda: _fetch_value(connection, "PRAGMA user_version"), deadline)
    return version


def _migrate(connection: Connection, path: str, deadline: float, versions: Sequence[Sequence[str]]) -> None:
    """Take the file one version further, unless another process has just done so."""
    connection.begin(read_only=False, deadline=deadline)
    try:
        version = _check_version(connection, path, len(versions))
        if version < len(versions):
            for statement in versions[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.commit()
    except BaseException:
        connection.roll_back()
        raise


def _fetch_value(connection: Connection, sql: str) -> Any:
    (value,) = connection.execute(sql).fetchone()
    return value
