"""The store: transactions of PostgreSQL, over a pool of connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic

from prebuilds.adapters.postgres.connections.connecting import make_parameters
from prebuilds.adapters.postgres.connections.openings import Openings
from prebuilds.adapters.postgres.connections.pool import Loan, Pool
from prebuilds.adapters.postgres.connections.single_calls import SingleCalls
from prebuilds.adapters.postgres.connections.statements import Statements
from prebuilds.adapters.postgres.connections.timeouts import Timeouts
from prebuilds.adapters.postgres.pubsub import PostgresPubSub
from prebuilds.adapters.postgres.tables.migrations import migrate
from prebuilds.adapters.postgres.tables.settings import read_time
from prebuilds.adapters.postgres.tables.whole_claims import make_claim
from prebuilds.adapters.postgres.transactions import PostgresTransaction
from prebuilds.adapters.store_base import PooledStore
from prebuilds.decision.fields import is_id
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.claim_answers import Claim
from prebuilds.runtime.clocks import SYSTEM_CLOCK, FollowingClock
from prebuilds.runtime.models import ClaimRequest, Lease, Message
from prebuilds.runtime.ports import Clock, Isolation, Transaction
from prebuilds.runtime.publishing.commit_guard import open_transaction, refuse_nesting

_DEFAULT_TIMEOUTS = Timeouts()
_MAX_NAME = 63  # bytes; PostgreSQL cuts longer names off


class PostgresStore(PooledStore[Pool]):
    """A `Store` in a schema of its own, in the database at `dsn`. A missing schema is made, unless `create` is false.

    The DSN is libpq's, a URI or `key=value` pairs. Host, user, password and TLS come from it alone. `max_connections`
    is how many transactions can be open at once. A transaction begins at the server, and has its lease, from the first
    read or write on.

    Raises `StoreNotFoundError` for a missing schema that is not to be made, `UnsupportedStoreError` for a schema of a
    later version or of another application, and `StoreUnavailableError` if the server cannot be reached. Use it as a
    context manager, or call `close`.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "prebuilds",
        max_connections: int = 8,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        create: bool = True,
    ) -> None:
        super().__init__(max_connections)
        if not is_id(schema) or len(schema.encode()) > _MAX_NAME:
            raise InvalidValueError("PostgresStore", "schema", schema, f"a name of 1 to {_MAX_NAME} bytes in UTF-8")
        self.parameters = make_parameters(dsn, timeouts)
        self.schema = schema
        migrate(self.parameters, schema, timeouts, create=create)
        self._pool = Pool(self.parameters, max_connections=max_connections, timeouts=timeouts)
        self._openings = Openings(schema, timeouts)
        self._calls = SingleCalls(self._pool, schema, timeouts)
        try:
            self._clock = FollowingClock(self._read_time, SYSTEM_CLOCK)
        except BaseException:
            self._pool.close()
            raise

    @contextmanager
    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> Iterator[Transaction]:
        with open_transaction(self), self.session(isolation=isolation, read_only=read_only, lease=lease) as statements:
            yield PostgresTransaction(statements)

    def make_pubsub(self) -> PostgresPubSub:
        """A pubsub in the same schema; see `PubSubMaker`."""
        return PostgresPubSub(self)

    def claim(self, request: ClaimRequest, *, message: Message) -> Claim:
        """Make a whole claim in one trip to the server; see `DirectClaims.claim`."""
        refuse_nesting(self)
        return make_claim(self._calls, request, message)

    def follow_clock(self, host: Clock) -> Clock:
        """A clock that shows the server's time; see `StoreClock.follow_clock`."""
        return self._clock if host is SYSTEM_CLOCK else FollowingClock(self._read_time, host)

    def _read_time(self) -> datetime:
        with self.session(read_only=True) as statements:
            return read_time(statements)

    @contextmanager
    def session(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        lease: Lease | None = None,
    ) -> Iterator[Statements]:
        """The statements of a transaction: committed when the block ends, rolled back when an error leaves it.

        For this adapter's own use.
        """
        began = monotonic()
        opening = self._openings.make(isolation, read_only=read_only, lease=lease)
        with Loan(self._pool) as loan:
            statements = Statements(loan, opening=opening, read_only=read_only, began=began)
            try:
                yield statements
                statements.commit()
            finally:
                statements.end()
