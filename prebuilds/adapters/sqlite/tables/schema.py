"""The tables, version by version.

- These statements have been released. Add a new version at the end for a change; never edit one.
- Instants and durations are whole microseconds, so that they compare exactly. Instants count from 1970 in UTC.
- Text compares by its code points, in SQLite as in Python: `created_at, id` is the order of the decision (R10).
- A workspace's last build is the one with its `last_number`. A build that failed before there was a workspace has none.
- Numbers of the outbox and of notices are never reused, even after the table was empty. Otherwise deleting sent
  messages could delete newer ones.
"""

from __future__ import annotations

APPLICATION_ID = 0x50524542
"""`PREB` in ASCII, which marks a file as one of ours."""

_FIRST = (
    """
    CREATE TABLE presets (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        template_version_id TEXT NOT NULL,
        template_version_name TEXT NOT NULL,
        template_version_active INTEGER NOT NULL,
        template_id TEXT NOT NULL,
        template_name TEXT NOT NULL,
        organization_id TEXT NOT NULL,
        organization_name TEXT NOT NULL,
        template_deleted INTEGER NOT NULL,
        template_deprecated INTEGER NOT NULL,
        desired_instances INTEGER NOT NULL,
        ttl INTEGER,
        timezone TEXT,
        schedules TEXT NOT NULL, -- JSON: [{"cron": "* 8-18 * * 1-5", "instances": 5}]
        last_invalidated_at INTEGER,
        prebuild_status TEXT NOT NULL,
        parameters TEXT NOT NULL, -- JSON: {"name": "value"}
        reset_at INTEGER
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE workspaces (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        owner_id TEXT NOT NULL,
        preset_id TEXT NOT NULL,
        template_id TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        ready INTEGER NOT NULL,
        deleted INTEGER NOT NULL,
        failed_deletes INTEGER NOT NULL,
        last_number INTEGER NOT NULL
    )
    """,
    # For plans and claims. Workspaces that were claimed or deleted are not in it, however many there are.
    """
    CREATE INDEX prebuilds ON workspaces (preset_id, ready, created_at, id)
    WHERE owner_id = 'prebuilds' AND deleted = 0
    """,
    """
    CREATE UNIQUE INDEX names ON workspaces (owner_id, name)
    WHERE owner_id <> 'prebuilds' AND deleted = 0
    """,
    """
    CREATE TABLE builds (
        id TEXT NOT NULL PRIMARY KEY,
        workspace_id TEXT,
        number INTEGER NOT NULL,
        preset_id TEXT NOT NULL,
        transition TEXT NOT NULL,
        status TEXT NOT NULL,
        template_version_id TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        finished_at INTEGER,
        submitted INTEGER NOT NULL,
        UNIQUE (workspace_id, number)
    )
    """,
    """
    CREATE INDEX outcomes ON builds (preset_id, finished_at)
    WHERE transition = 'start' AND status IN ('failed', 'succeeded')
    """,
    """
    CREATE TABLE claims (
        request_id TEXT NOT NULL PRIMARY KEY,
        preset_id TEXT NOT NULL,
        created_since INTEGER,
        "order" TEXT NOT NULL,
        owner_id TEXT NOT NULL,
        name TEXT NOT NULL,
        claimed_at INTEGER NOT NULL,
        workspace_id TEXT NOT NULL UNIQUE
    ) WITHOUT ROWID
    """,
    "CREATE TABLE settings (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE memberships (organization_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID",
    """
    CREATE TABLE counters (
        preset_id TEXT NOT NULL,
        counter TEXT NOT NULL,
        value INTEGER NOT NULL,
        PRIMARY KEY (preset_id, counter)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE leases (
        name TEXT NOT NULL PRIMARY KEY,
        holder TEXT, -- none once it has been released
        token INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, body TEXT NOT NULL)",
    """
    CREATE TABLE notices (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        topic TEXT NOT NULL,
        body TEXT NOT NULL,
        published_at INTEGER NOT NULL
    )
    """,
    "CREATE INDEX notices_by_age ON notices (published_at)",
    f"PRAGMA application_id = {APPLICATION_ID}",
)

_SECOND = (
    "ALTER TABLE workspaces ADD COLUMN parameters TEXT",  # JSON: {"name": "value"}; none where nobody knows
    "ALTER TABLE workspaces ADD COLUMN retired INTEGER NOT NULL DEFAULT 0",
    # For finding the latest attempts of a preset with one version.
    """
    CREATE INDEX attempts ON builds (preset_id, template_version_id, created_at)
    WHERE transition = 'start' AND status IN ('failed', 'succeeded')
    """,
)

_THIRD = (
    # `hash_preset` of the preset's id: a shard is what its remainder says.
    "ALTER TABLE presets ADD COLUMN preset_hash INTEGER NOT NULL DEFAULT 0",
    "UPDATE presets SET preset_hash = hash_preset(id)",
    "CREATE INDEX preset_shards ON presets (preset_hash)",
    "ALTER TABLE workspaces ADD COLUMN preset_hash INTEGER NOT NULL DEFAULT 0",
    "UPDATE workspaces SET preset_hash = hash_preset(preset_id)",
    "CREATE INDEX prebuild_shards ON workspaces (preset_hash) WHERE owner_id = 'prebuilds' AND deleted = 0",
    "ALTER TABLE builds ADD COLUMN failure TEXT NOT NULL DEFAULT 'transient'",
    "ALTER TABLE builds ADD COLUMN message TEXT NOT NULL DEFAULT ''",
    # For finding the presets that have a history to look at.
    "CREATE INDEX failures ON builds (preset_id) WHERE transition = 'start' AND status = 'failed'",
    "ALTER TABLE presets ADD COLUMN options TEXT NOT NULL DEFAULT '{}'",  # JSON: what `write_options` returns
    """
    CREATE TABLE budgets (
        scope TEXT NOT NULL,
        key TEXT NOT NULL, -- empty for the fleet
        max_starting INTEGER,
        max_creates_per_pass INTEGER,
        max_creates_per_minute INTEGER,
        max_instances INTEGER,
        PRIMARY KEY (scope, key)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE claim_counts (
        preset_id TEXT NOT NULL,
        minute INTEGER NOT NULL,
        hits INTEGER NOT NULL,
        misses INTEGER NOT NULL,
        PRIMARY KEY (preset_id, minute)
    ) WITHOUT ROWID
    """,
    "ALTER TABLE presets ADD COLUMN template_version_candidate INTEGER NOT NULL DEFAULT 0",
)

VERSIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SECOND, _THIRD)
"""The statements that lead to each version from the one before it."""
