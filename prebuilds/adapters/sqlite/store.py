"""The store: one writer at a time, and readers beside it.

Before it begins, a transaction waits for a connection and for other writers; one deadline covers both waits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from time import monotonic

from prebuilds.adapters.sqlite.combined_claims import CombinedClaims
from prebuilds.adapters.sqlite.connections.pool import Pool
from prebuilds.adapters.sqlite.connections.statements import Statements
from prebuilds.adapters.sqlite.pubsub import SQLitePubSub
from prebuilds.adapters.sqlite.tables.migrations import connect
from prebuilds.adapters.sqlite.tables.settings import check_lease
from prebuilds.adapters.sqlite.transactions import SQLiteTransaction
from prebuilds.adapters.store_base import PooledStore
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.claim_answers import Claim
from prebuilds.runtime.models import ClaimRequest, Lease, Message
from prebuilds.runtime.ports import Isolation, Transaction
from prebuilds.runtime.publishing.commit_guard import open_transaction, refuse_nesting

_TIMEOUT = timedelta(seconds=10)


class SQLiteStore(PooledStore[Pool]):
    """A `Store` in the file at `path`. A missing file is made, unless `create` is false.

    `max_connections` is how many transactions can be open at once. `timeout`, a timedelta, is how long each waits for a
    connection and for other writers, in this process or another. Every transaction is serializable; `isolation` changes
    nothing.

    Commits survive a killed process. They survive a power loss too, because each commit waits for the disk. Without
    `survives_power_loss` writing is many times faster, and a power loss may undo the last commits; the file stays
    consistent.

    With `read_only` every transaction is read-only, and the file is never written, made or migrated. A file without
    write permission can be read, even in a folder without it.

    Raises `UnsupportedStoreError` for a file of a later version or of another application, and `StoreNotFoundError` for
    a missing file that is not to be made. Use it as a context manager, or call `close`. Keep the file on a local disk:
    network file systems may lack the locks that SQLite needs.
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
        self._claims = CombinedClaims(self._begin_claims, seconds=self._seconds)
        with self._pool.lend(read_only=True, deadline=monotonic() + self._seconds):
            pass  # finds out now whether the file can be used, not at the first transaction

    @contextmanager
    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,  # noqa: ARG002 - it is always serializable
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> Iterator[Transaction]:
        with open_transaction(self), self.session(read_only=read_only) as statements:
            if lease:
                check_lease(statements, lease)
            yield SQLiteTransaction(statements)

    def make_pubsub(self) -> SQLitePubSub:
        """A pubsub in the same file; see `PubSubMaker`."""
        return SQLitePubSub(self)

    def claim(self, request: ClaimRequest, *, message: Message) -> Claim:
        """Make a whole claim, in one transaction with others that come at the same time; see `DirectClaims.claim`."""
        refuse_nesting(self)
        return self._claims.claim(request, message)

    @contextmanager
    def _begin_claims(self) -> Iterator[Transaction]:
        with self.session(read_only=False) as statements:
            yield SQLiteTransaction(statements)

    @contextmanager
    def session(self, *, read_only: bool) -> Iterator[Statements]:
        """The statements of a transaction: committed when the block ends, rolled back when an error leaves it.

        For this adapter's own use. Do not open one inside another: it may wait for itself.
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
