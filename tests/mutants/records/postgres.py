"""Bugs of the store on PostgreSQL, and of what all stores listen with."""

from __future__ import annotations

from mutants.records.mutant import Mutant

POSTGRES = (
    Mutant(
        "a pool's lock that was held while forking stops the child",
        "adapters/postgres/connections/pool.py",
        "            _abandoned.append(self._pool)\n        self._reset()\n",
        "            _abandoned.append(self._pool)\n        self._pool = None\n",
        tests=("adapters/test_forks.py",),
    ),
    Mutant(
        "a child gives its parent's connection back",
        "adapters/postgres/connections/pool.py",
        "        if pool is not self._pool:\n            return",
        "        if pool is None:\n            return",
        tests=("adapters/test_forks.py",),
    ),
    Mutant(
        "postgres: a retired prebuild becomes ready again",
        "adapters/postgres/tables/builds.py",
        "    WHERE id = %(id)s AND NOT deleted AND NOT retired AND NOT ready\n",
        "    WHERE id = %(id)s AND NOT deleted AND NOT ready\n",
        tests=("testing/test_contracts.py",),
    ),
    Mutant(
        "a pubsub is deaf after a fork",
        "adapters/listening.py",
        "            if self._subscriptions and not self._is_running():\n",
        "            if False:\n",
        tests=("adapters/test_forks.py",),
    ),
    Mutant(
        "a pubsub's lock is held for ever in a child",
        "adapters/listening.py",
        "        self._lock = threading.Lock()\n        if not self._is_closed:\n",
        "        if not self._is_closed:\n",
        tests=("adapters/test_forks.py",),
    ),
    Mutant(
        "postgres: a build forgets why it failed",
        "adapters/postgres/tables/builds.py",
        "build_failure = %(failure)s, build_message = %(message)s,",
        "",
        tests=("testing/test_contracts.py",),
    ),
    Mutant(
        "postgres: a delete does not compare the owner",
        "adapters/postgres/tables/workspaces.py",
        "    WHERE workspaces.id = new.id AND owner_id = 'prebuilds' AND NOT deleted\n",
        "    WHERE workspaces.id = new.id AND NOT deleted\n",
        tests=("testing/test_contracts.py",),
    ),
    Mutant(
        "postgres: a create is not pinned",
        "adapters/postgres/tables/workspaces.py",
        "ON presets.id = new.preset_id AND presets.template_version_id = new.version_id",
        "ON presets.id = new.preset_id",
        tests=("testing/test_contracts.py",),
    ),
    Mutant(
        "postgres: a repeated claim is counted",
        "adapters/postgres/tables/claim_function.py",
        "                outcome := 'conflict';\n            END IF;\n            RETURN;\n",
        "                outcome := 'conflict';\n                RETURN;\n            END IF;\n",
        tests=("testing/test_contracts.py",),
    ),
    Mutant(
        "postgres: a whole claim takes the first by id",
        "adapters/postgres/tables/claim_function.py",
        "ORDER BY created_at, id LIMIT 1",
        "ORDER BY id LIMIT 1",
        tests=("testing/test_contracts.py",),
    ),
    Mutant(
        "postgres: a ttl follows the clocks of the session's zone",
        "adapters/postgres/tables/claim_function.py",
        "(claim_at AT TIME ZONE 'UTC' - ttl) AT TIME ZONE 'UTC' END",
        "claim_at - ttl END",
        tests=("adapters/test_postgres_claims.py",),
    ),
    Mutant(
        "postgres: a claim is sent over a dead connection",
        "adapters/postgres/connections/pool.py",
        "            if not has_unread(connection):\n",
        "            if True:\n",
        tests=("adapters/test_postgres_claims.py",),
    ),
    Mutant(
        "postgres: a claim whose connection was lost is called undone",
        "adapters/postgres/connections/single_calls.py",
        "    if is_lost and isinstance(failure, StoreUnavailableError):\n",
        "    if False:\n",
        tests=("adapters/test_postgres_claims.py",),
    ),
    Mutant(
        "postgres: a nested part that is rolled back counts",
        "adapters/postgres/connections/statements.py",
        "        self._late = []\n        if not",
        "        if not",
        tests=("adapters/test_postgres_claims.py",),
    ),
    Mutant(
        "postgres: two calls with one request id do not wait for each other",
        "adapters/postgres/tables/claim_function.py",
        "        PERFORM pg_advisory_xact_lock(hashtextextended(request, 3));\n",
        "",
        tests=("adapters/test_postgres_claims.py",),
    ),
    Mutant(
        "postgres: counters go in a trip of their own",
        "adapters/postgres/tables/settings.py",
        "self._statements.write_late(_COUNT,",
        "self._statements.write(_COUNT,",
        tests=("adapters/test_postgres_creates.py",),
    ),
)
