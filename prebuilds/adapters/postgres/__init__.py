"""A store and a pubsub on PostgreSQL, for several machines; needs the extra `postgres`.

Any number of processes can share a database, also through PgBouncer in transaction mode: nothing here depends on a
session but listening, and `PostgresPubSub(listen=False)` does without that.
"""

from prebuilds.errors import MissingExtraError

try:
    import psycopg as _psycopg
    import psycopg_pool as _psycopg_pool
except ImportError as error:
    raise MissingExtraError("psycopg with its pool", "postgres") from error
else:
    del _psycopg, _psycopg_pool

from prebuilds.adapters.postgres.connections.timeouts import Timeouts
from prebuilds.adapters.postgres.pubsub import PostgresPubSub
from prebuilds.adapters.postgres.store import PostgresStore

__all__ = ["PostgresPubSub", "PostgresStore", "Timeouts"]
