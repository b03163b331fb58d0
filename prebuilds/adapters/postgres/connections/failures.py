"""What PostgreSQL's errors mean to the runtime.

- Whoever waited too long, was the victim of a deadlock or came too late for its snapshot has written nothing, and may
  try again: `StoreBusyError`.
- So may whoever has lost its connection, unless it was about to commit: then nobody knows, `CommitUnknownError`.
- A server whose disk is full has written nothing either: `StoreUnavailableError`, until there is room.
- All else is a defect of this adapter, or of the database, and is raised as it is.
"""

from __future__ import annotations

import psycopg
from psycopg import errors

from prebuilds.errors import StoreBusyError, StoreUnavailableError

_BUSY = (errors.LockNotAvailable, errors.QueryCanceled, errors.SerializationFailure, errors.DeadlockDetected)
_NO_ROOM = (errors.DiskFull, errors.OutOfMemory)
# After a failover the old server, or a replica, answers so until the pool has found the new one.
_WRONG_SERVER = (errors.ReadOnlySqlTransaction, errors.CannotConnectNow, errors.TooManyConnections)


def translate(error: psycopg.Error, *, seconds: float, is_closed: bool) -> Exception:
    """The error to raise: of this library if it has one, else the same.

    `seconds` is how long the transaction has lasted, and `is_closed` whether its connection is gone.
    """
    if isinstance(error, _BUSY):
        return StoreBusyError(round(seconds, 3))
    if is_closed or isinstance(error, _WRONG_SERVER + _NO_ROOM):
        return make_unavailable_error(error)
    return error


def make_unavailable_error(error: Exception) -> StoreUnavailableError:
    """The same in words of this library; of what libpq says, the first line."""
    return StoreUnavailableError(next(iter(str(error).splitlines()), type(error).__name__))


def is_wrong_server(error: psycopg.Error) -> bool:
    """Whether another connection may lead to a server that can do it."""
    return isinstance(error, _WRONG_SERVER)
