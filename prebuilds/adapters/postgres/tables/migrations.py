"""Migrating a schema to the current version, even while other processes try the same.

- All steps are one transaction, behind a lock that one process holds. They are done completely or not at all.
- A schema that is up to date is only read, so the program's role needs no right to make tables.
- A schema that this library does not know is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from prebuilds.adapters.postgres.connections.connecting import Connection
from prebuilds.adapters.postgres.connections.failures import make_unavailable_error
from prebuilds.adapters.postgres.connections.timeouts import Timeouts, count_milliseconds
from prebuilds.adapters.postgres.tables.schema import VERSIONS
from prebuilds.errors import StoreNotFoundError, UnsupportedStoreError

_OTHERS = (psycopg.errors.DuplicateObject, psycopg.errors.DuplicateTable, psycopg.errors.InsufficientPrivilege)
# Not to_regclass: its cache may not know yet what another process has just made.
_FIND_TABLE = """
    SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE pg_namespace.nspname = %s AND pg_class.relname = 'prebuilds_version'
"""


def migrate(
    parameters: dict[str, Any],
    schema: str,
    timeouts: Timeouts,
    versions: Sequence[str] = VERSIONS,
    *,
    create: bool = True,
) -> None:
    """Migrate the schema to the last of these versions, over a connection of its own.

    Raises `StoreNotFoundError` for a missing schema that is not to be made, `UnsupportedStoreError` for a schema of a
    later version or of another application, and `StoreUnavailableError`.
    """
    try:
        with psycopg.connect(**parameters) as connection:
            _check_encoding(connection, schema)
            version = _find_version(connection, schema, len(versions))
            if version == 0 and not create:
                raise StoreNotFoundError(_describe(schema))
            if version < len(versions):
                with connection.transaction():
                    _lock(connection, schema, timeouts)
                    _take_steps(connection, schema, versions)
    except psycopg.OperationalError as error:
        raise make_unavailable_error(error) from error
    except _OTHERS as error:
        raise UnsupportedStoreError(_describe(schema), str(error).strip()) from error


def _check_encoding(connection: Connection, schema: str) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise UnsupportedStoreError(_describe(schema), f"its database has the encoding {encoding}; it must be UTF8")


def _find_version(connection: Connection, schema: str, known: int) -> int:
    """The version of the schema, 0 if there is none yet."""
    version = 0
    if connection.execute(_FIND_TABLE, (schema,)).fetchone():
        table = sql.SQL("{}.prebuilds_version").format(sql.Identifier(schema))
        (version,) = connection.execute(sql.SQL("SELECT version FROM {}").format(table)).fetchone() or (0,)
    if version > known:
        problem = f"it is of version {version}, and this release of prebuilds knows versions up to {known}"
        raise UnsupportedStoreError(_describe(schema), problem)
    return version


def _lock(connection: Connection, schema: str, timeouts: Timeouts) -> None:
    wait = sql.Literal(count_milliseconds(timeouts.statement))
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(wait))
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"prebuilds.migrate:{schema}",))


def _take_steps(connection: Connection, schema: str, versions: Sequence[str]) -> None:
    """Take the schema to the last version, behind the lock."""
    name = sql.Identifier(schema)
    version = _find_version(connection, schema, len(versions))
    if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone():
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    connection.execute(sql.SQL("SET LOCAL search_path TO {}, pg_temp").format(name))
    if version == 0:
        connection.execute("CREATE TABLE prebuilds_version (version integer NOT NULL)")
        connection.execute("INSERT INTO prebuilds_version VALUES (0)")
    for step in versions[version:]:
        connection.execute(step.replace("{schema}", name.as_string(connection)).encode())
    connection.execute("UPDATE prebuilds_version SET version = %s", (len(versions),))


def _describe(schema: str) -> str:
    return f"the schema {schema}"
