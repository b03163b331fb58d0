"""What a transaction begins with: two statements in one message, which may have more in it.

- The settings hold for one transaction (SET LOCAL), so that they work behind PgBouncer too.
- The statement that sets them takes the snapshot, so that all reads see the state at the first of them.
- The lease is checked and held by the server itself, which refuses all that follows if the lease is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from prebuilds.adapters.postgres.connections.timeouts import Timeouts, count_milliseconds
from prebuilds.runtime.models import Lease
from prebuilds.runtime.ports import Isolation

_LEVELS = {Isolation.READ_COMMITTED: "READ COMMITTED", Isolation.REPEATABLE_READ: "REPEATABLE READ"}


class Openings:
    """Makes the openings of transactions that see the tables of one schema."""

    def __init__(self, schema: str, timeouts: Timeouts) -> None:
        self._schema = sql.Identifier(schema)
        self._settings = _make_settings(self._schema, timeouts)

    def make(self, isolation: Isolation, *, read_only: bool, lease: Lease | None) -> Sequence[str]:
        """The statements, with their values as literals."""
        # Holding a lease locks a row, which is a write to the server.
        level = f"{_LEVELS[isolation]}{' READ ONLY' if read_only and lease is None else ''}"
        return f"BEGIN ISOLATION LEVEL {level}", f"{self._settings}{self._hold(lease) if lease else ''}"

    def _hold(self, lease: Lease) -> str:
        call = sql.SQL(", {}.hold_lease({}, {})").format(self._schema, lease.name, lease.token)
        return call.as_string(None)


def _make_settings(schema: sql.Identifier, timeouts: Timeouts) -> str:
    settings = {
        "search_path": sql.SQL("{}, pg_temp").format(schema).as_string(None),
        "statement_timeout": str(count_milliseconds(timeouts.statement)),
        "lock_timeout": str(count_milliseconds(timeouts.lock)),
        "jit": "off",  # compiling would take longer than any statement here
        "idle_in_transaction_session_timeout": str(count_milliseconds(timeouts.idle)),
    }
    calls = [sql.SQL("set_config({}, {}, true)").format(name, value) for name, value in settings.items()]
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls)).as_string(None)
