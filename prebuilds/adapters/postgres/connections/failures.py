"""What PostgreSQL's errors mean to the runtime.

- A transaction that waited too long, lost in a deadlock or could not be serialized has written nothing, and may be
  tried again: `StoreBusyError`.
- So may one that lost its connection: `StoreUnavailableError`. If it was committing, the outcome is unknown:
  `CommitUnknownError`.
- A lease that another holder has taken, as `hold_lease` of the schema finds: `LeaseLostError`.
- If the server's disk is full nothing was written either: `StoreUnavailableError`, until there is room.
- Any other error is a defect of this adapter or of the database, and is raised unchanged.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors

from prebuilds.errors import LeaseLostError, StoreBusyError, StoreUnavailableError

LEASE_LOST = "PB001"
_BUSY = (errors.LockNotAvailable, errors.QueryCanceled, errors.SerializationFailure, errors.DeadlockDetected)
_NO_ROOM = (errors.DiskFull, errors.OutOfMemory)
# The answers of an old primary or a replica after a failover, until the pool finds the new primary.
WRONG_SERVER = (errors.ReadOnlySqlTransaction, errors.CannotConnectNow, errors.TooManyConnections)


def translate(error: psycopg.Error, connection: psycopg.Connection[Any], *, seconds: float) -> Exception:
    """The error to raise: this library's own if it has one, otherwise the same error.

    `seconds` is the age of the transaction. A connection that is lost, or leads to a server that cannot serve the
    request, is closed, so that the pool replaces it.
    """
    is_lost = close_if_lost(error, connection)
    if isinstance(error, WRONG_SERVER):
        connection.close()
    if isinstance(error, _BUSY):
        return StoreBusyError(round(seconds, 3))
    if is_lost or isinstance(error, WRONG_SERVER + _NO_ROOM):
        return make_unavailable_error(error)
    if error.diag.sqlstate == LEASE_LOST:
        return LeaseLostError(error.diag.message_primary or "", int(error.diag.message_detail or 0))
    return error


def make_unavailable_error(error: Exception) -> StoreUnavailableError:
    """The error as this library's own, with the first line of libpq's text."""
    return StoreUnavailableError(next(iter(str(error).splitlines()), type(error).__name__))


def close_if_lost(error: psycopg.Error, connection: psycopg.Connection[Any]) -> bool:
    """Whether the connection is gone. libpq may not have noticed it, where the server's last words came before its end.

    It tells this in an error of its own, which has no SQLSTATE, unlike all errors of the server.
    """
    if type(error) is psycopg.DatabaseError and error.sqlstate is None:
        connection.close()
    return connection.closed
