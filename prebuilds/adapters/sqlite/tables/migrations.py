"""Bringing a file to the version of this library, whoever else is at it.

- Each step is a transaction that has the version in it: it is done whole or not at all, and by one process alone.
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
    """A connection to the file, which is brought to the last of these versions if need be, unless it is only read.

    Raises `StoreNotFoundError` where nothing is to be created, `UnsupportedStoreError` for a file of a version that it
    cannot have, or of something else, and `StoreBusyError`.
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
    """Refuse a file that SQLite cannot work with."""
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
    # The version is looked at before a transaction is begun to write: as a rule there is nothing to do.
    while _read_version(connection, deadline) < len(versions):
        _migrate(connection, path, deadline, versions)


def _check_file(connection: Connection, path: str, known: int, deadline: float) -> int:
    """The version of one of our files, 0 for an empty one. What is none of ours is refused before it is written."""
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
    """Take the file one version further, unless another process has done so by now."""
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
