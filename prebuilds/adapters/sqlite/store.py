"""The store: one writer at a time, readers beside it, and as many connections as it is given.

One deadline holds for all that a transaction waits for before it begins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from time import monotonic

from prebuilds.adapters.sqlite.connections.pool import Pool
from prebuilds.adapters.sqlite.connections.statements import Statements
from prebuilds.adapters.sqlite.tables.migrations import connect
from prebuilds.adapters.sqlite.tables.settings import check_lease
from prebuilds.adapters.sqlite.transactions import SQLiteTransaction
from prebuilds.adapters.stores import PooledStore
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.models import Lease
from prebuilds.runtime.ports import Isolation, Transaction
from prebuilds.runtime.publishing.guard import open_transaction

_TIMEOUT = timedelta(seconds=10)


class SQLiteStore(PooledStore[Pool]):
    """A `Store` in the file at `path`, which is made if it is not there, unless `create` is false.

    `max_connections` is how many transactions can be open at once, and `timeout` how long each waits for a connection
    and for other writers, of whatever process. All of them are serializable, whatever isolation they are asked for.

    What a transaction has committed outlives the process, even one that is killed. It outlives a machine that loses its
    power too, for which each commit waits for the disk. Without `survives_power_loss` writing is many times faster, and
    the last commits may be lost with the machine; what is left is consistent.

    With `read_only` the file is never written, made or brought to another version, and one that may not be written can
    be read, in a folder that may not be written too. All transactions are read-only then.

    Raises `UnsupportedStoreError` for a file of a later version or of something else, and `StoreNotFoundError` for one
    that is not there and is not made. Use it as a context manager, or call `close`. The file belongs on a disk of this
    machine: a network's may not lock as SQLite needs it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_connections: int = 8,
        timeout: timedelta = _TIMEOUT,
        survives_power_loss: bool = True,
        create: bool = True,
        read_only: bool = False,
    ) -> None:
        super().__init__(max_connections)
        if not isinstance(timeout, timedelta) or timeout < timedelta():
            raise InvalidValueError("SQLiteStore", "timeout", timeout, "a timedelta of 0 or more")
        self._path = _require_file(path)
        self._seconds = timeout.total_seconds()
        self._is_read_only = read_only
        self._pool = Pool(
            self._path,
            max_connections=max_connections,
            seconds=self._seconds,
            connect=partial(
                connect,
                self._path,
                seconds=self._seconds,
                survives_power_loss=survives_power_loss,
                create=create and not read_only,
                read_only=read_only,
            ),
        )
        with self._pool.lend(read_only=True, deadline=monotonic() + self._seconds):
            pass  # what is wrong with the file is told now, not at the first transaction

    @contextmanager
    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,  # noqa: ARG002 - it is always more than that
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> Iterator[Transaction]:
        with open_transaction(self), self.session(read_only=read_only) as statements:
            if lease:
                check_lease(statements, lease)
            yield SQLiteTransaction(statements)

    @contextmanager
    def session(self, *, read_only: bool) -> Iterator[Statements]:
        """The statements of a transaction: committed when the block ends, rolled back when an error leaves it.

        For what belongs to this adapter. Within another one of its own it waits for itself in vain.
        """
        deadline = monotonic() + self._seconds
        read_only = read_only or self._is_read_only
        with self._pool.lend(read_only=read_only, deadline=deadline) as connection:
            connection.begin(read_only=read_only, deadline=deadline)
            statements = Statements(connection)
            try:
                yield statements
                connection.commit()
            except BaseException:
                connection.roll_back()
                raise
            finally:
                statements.end()


def _require_file(path: str | os.PathLike[str]) -> str:
    name = os.fspath(path)
    if not isinstance(name, str) or name in ("", ":memory:"):
        raise InvalidValueError("SQLiteStore", "path", path, "the path of a file; MemoryStore needs none")
    return os.path.realpath(name)
