"""Bugs of the store in a file of SQLite."""

from __future__ import annotations

from mutants.records.mutant import Mutant

SQLITE = (
    Mutant(
        "sqlite: claims are unordered",
        "adapters/sqlite/tables/claims.py",
        "ORDER BY workspaces.created_at, workspaces.id LIMIT 1",
        "ORDER BY workspaces.id LIMIT 1",
    ),
    Mutant(
        "sqlite: the lease has no token",
        "adapters/sqlite/tables/settings.py",
        'WHERE name = ? AND token = ?", lease.name, lease.token):',
        'WHERE name = ?", lease.name):',
    ),
    Mutant(
        "sqlite: a transaction that fails is committed",
        "adapters/sqlite/store.py",
        "                connection.roll_back()\n                raise\n",
        "                connection.commit()\n                raise\n",
    ),
    Mutant(
        "sqlite: the builds of all presets are in one history",
        "adapters/sqlite/tables/plan_reads.py",
        "        WHERE latest.preset_id = counted.id AND latest.template_version_id = counted.version\n",
        "        WHERE latest.preset_id >= '' AND latest.template_version_id = counted.version\n",
    ),
    Mutant(
        "a full disk is an error of sqlite3",
        "adapters/sqlite/connections/connection.py",
        "            if str(error) in (_FULL, _BROKEN, _READ_ONLY):\n",
        "            if str(error) in (_BROKEN, _READ_ONLY):\n",
        tests=("adapters/test_full_disk.py",),
    ),
    Mutant(
        "a commit that the disk cut short is reported as undone",
        "adapters/sqlite/connections/connection.py",
        "            if str(error.__cause__) == _BROKEN:\n",
        "            if False:\n",
        tests=("adapters/test_full_disk.py",),
    ),
    Mutant(
        "sqlite: builds of another version fill the limit",
        "adapters/sqlite/tables/plan_reads.py",
        "        WHERE latest.preset_id = counted.id AND latest.template_version_id = counted.version\n",
        "        WHERE latest.preset_id = counted.id\n",
    ),
    Mutant(
        "sqlite: each build of a pass is an attempt",
        "adapters/sqlite/tables/plan_reads.py",
        "        SELECT DISTINCT latest.created_at FROM builds AS latest\n",
        "        SELECT latest.created_at FROM builds AS latest\n",
    ),
    Mutant(
        "sqlite: a prebuild with other parameters is claimed",
        "adapters/sqlite/tables/claims.py",
        "    AND (workspaces.parameters IS NULL OR workspaces.parameters = ?)\n",
        "    AND (workspaces.parameters IS NULL OR ? IS NOT NULL)\n",
    ),
    Mutant(
        "sqlite: a prebuild of another version is claimed",
        "adapters/sqlite/tables/claims.py",
        "    AND (builds.template_version_id IN ('', ?) OR ? = '')\n",
        "    AND (builds.template_version_id IN ('', ?) OR ? IS NOT NULL)\n",
    ),
    Mutant(
        "sqlite: a prebuild forgets its requested parameters",
        "adapters/sqlite/tables/workspaces.py",
        "        write_parameters(workspace.parameters or ()),\n",
        "        None,\n",
    ),
    Mutant(
        "sqlite: what is released keeps its user's name",
        "adapters/sqlite/tables/workspaces.py",
        "        statements.run(_UPDATE_WORKSPACE, changed.name, changed.owner_id, *state, changed.id)\n",
        "        name = statements.fetch('SELECT name FROM workspaces WHERE id = ?', changed.id)[0][0]\n"
        "        statements.run(_UPDATE_WORKSPACE, name, changed.owner_id, *state, changed.id)\n",
    ),
    Mutant(
        "find_lease finds a lease that was released",
        "adapters/sqlite/tables/settings.py",
        "FROM leases WHERE name = ? AND holder IS NOT NULL",
        "FROM leases WHERE name = ?",
    ),
    Mutant(
        "a store that must not be created is created",
        "adapters/sqlite/tables/migrations.py",
        "if version == 0 and not create:",
        "if False:",
        tests=("adapters/test_sqlite_reading.py",),
    ),
    Mutant(
        "a frozen connection is kept for the next transaction",
        "adapters/sqlite/connections/pool.py",
        "or connection.in_transaction or connection.is_frozen",
        "or connection.in_transaction",
        tests=("adapters/test_sqlite_reading.py",),
    ),
    Mutant(
        "sqlite: a prebuild is added though its id exists",
        "adapters/sqlite/tables/workspaces.py",
        "            workspace_ids=self._find_ids(_HAVE_IDS, [request.workspace_id for request in requests]),\n",
        "            workspace_ids=(),\n",
    ),
    Mutant(
        "sqlite: a build is added though its id exists",
        "adapters/sqlite/tables/workspaces.py",
        "            build_ids=self._find_ids(_HAVE_BUILDS, [request.build_id for request in requests]),\n",
        "            build_ids=(),\n",
    ),
    Mutant(
        "sqlite: attempts without capacity use up the latest",
        "adapters/sqlite/tables/plan_reads.py",
        " AND latest.failure <> 'capacity'",
        "",
    ),
    Mutant(
        "sqlite: the prebuilds of all shards are read",
        "adapters/sqlite/tables/plan_reads.py",
        "        WHERE owner_id = 'prebuilds' AND deleted = 0 AND {_IN_SHARD}\n",
        "        WHERE owner_id = 'prebuilds' AND deleted = 0 AND {_IN_SHARD} >= 0\n",
    ),
    Mutant(
        "sqlite: a claim is made for a thread that was interrupted",
        "adapters/sqlite/combined_claims.py",
        "[call for call in calls if call is not own]",
        "calls",
        tests=("adapters/test_combined_claims.py",),
    ),
    Mutant(
        "sqlite: a refused claim ends the claims beside it",
        "adapters/sqlite/combined_claims.py",
        "        except _REFUSALS as error:\n",
        "        except () as error:\n",
        tests=("adapters/test_combined_claims.py",),
    ),
)
