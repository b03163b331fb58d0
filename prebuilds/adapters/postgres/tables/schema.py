"""The tables, version by version.

- These statements have been released. Add a new version at the end for a change; never edit one.
- A workspace's row holds its last build too, so that writing to either locks both. `builds` has every build that has
  ended, and rows are only added to it.
- Ids compare by their bytes, and so by their code points: `created_at, id` is the order of the decision (R10).
- Each counter is spread over slots. In a single row, all claims of a preset would wait for each other's commit.
- `is_active` repeats `Preset.is_active` for use in statements, and `is_wanted` `Preset.is_wanted`.
"""

from __future__ import annotations

from prebuilds.adapters.postgres.tables.claim_function import CLAIM_FUNCTION

_FIRST = """
CREATE TABLE presets (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    desired_instances integer NOT NULL,
    ttl interval,
    timezone text,
    schedules jsonb NOT NULL,
    last_invalidated_at timestamptz,
    prebuild_status text NOT NULL,
    parameters jsonb NOT NULL,
    template_version_id text NOT NULL,
    template_version_name text NOT NULL,
    template_version_active boolean NOT NULL,
    template_id text NOT NULL,
    template_name text NOT NULL,
    organization_id text NOT NULL,
    organization_name text NOT NULL,
    template_deleted boolean NOT NULL,
    template_deprecated boolean NOT NULL,
    is_active boolean NOT NULL
        GENERATED ALWAYS AS (template_version_active AND NOT template_deleted AND NOT template_deprecated) STORED,
    reset_at timestamptz
);

CREATE TABLE workspaces (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    owner_id text NOT NULL,
    preset_id text COLLATE "C" NOT NULL,
    template_id text NOT NULL,
    created_at timestamptz NOT NULL,
    ready boolean NOT NULL DEFAULT false,
    deleted boolean NOT NULL DEFAULT false,
    failed_deletes integer NOT NULL DEFAULT 0,
    build_id text COLLATE "C" NOT NULL CONSTRAINT last_builds UNIQUE,
    build_number integer NOT NULL DEFAULT 1,
    build_transition text NOT NULL,
    build_status text NOT NULL DEFAULT 'pending',
    build_version_id text NOT NULL,
    build_created_at timestamptz NOT NULL,
    build_finished_at timestamptz,
    build_submitted boolean NOT NULL DEFAULT false,
    CHECK ((build_finished_at IS NULL) = (build_status IN ('pending', 'running')))
) WITH (fillfactor = 80);

-- What plans and claims look at: however many workspaces were claimed or deleted before, they are not in here.
CREATE INDEX prebuilds ON workspaces (preset_id, ready, created_at, id) WHERE owner_id = 'prebuilds' AND NOT deleted;
CREATE UNIQUE INDEX names ON workspaces (owner_id, name) WHERE owner_id <> 'prebuilds' AND NOT deleted;

CREATE TABLE builds (
    id text COLLATE "C" PRIMARY KEY,
    workspace_id text COLLATE "C", -- none if the build failed before there was a workspace
    number integer NOT NULL,
    preset_id text COLLATE "C" NOT NULL,
    transition text NOT NULL,
    status text NOT NULL,
    template_version_id text NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL
);
CREATE INDEX outcomes ON builds (preset_id, finished_at)
WHERE transition = 'start' AND status IN ('succeeded', 'failed');

CREATE TABLE claims (
    request_id text COLLATE "C" CONSTRAINT requests PRIMARY KEY,
    preset_id text NOT NULL,
    created_since timestamptz,
    claim_order text NOT NULL,
    owner_id text NOT NULL,
    name text NOT NULL,
    claimed_at timestamptz NOT NULL,
    workspace_id text COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE settings (name text PRIMARY KEY, value boolean NOT NULL);
CREATE TABLE memberships (organization_id text COLLATE "C" PRIMARY KEY);
CREATE TABLE counters (
    preset_id text COLLATE "C" NOT NULL,
    counter text NOT NULL,
    slot integer NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (preset_id, counter, slot)
) WITH (fillfactor = 50);

CREATE TABLE leases (
    name text COLLATE "C" PRIMARY KEY,
    holder text, -- none once it has been released
    token bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, body text NOT NULL);
CREATE TABLE notices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    body text NOT NULL,
    published_at timestamptz NOT NULL
);
CREATE INDEX notices_by_age ON notices (published_at);
"""

_SECOND = """
ALTER TABLE workspaces
ADD COLUMN parameters jsonb, -- none where nobody knows
ADD COLUMN retired boolean NOT NULL DEFAULT false;

-- The attempts of a preset with one version, from the last on.
CREATE INDEX attempts ON builds (preset_id, template_version_id, created_at)
WHERE transition = 'start' AND status IN ('succeeded', 'failed');
"""

_THIRD = """
-- `hash_preset`: the CRC-32 of the text in UTF-8, four bits at a time.
CREATE FUNCTION hash_preset(preset_id text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    steps CONSTANT bigint[] := '{0, 498536548, 997073096, 651767980, 1994146192, 1802195444, 1303535960, 1342533948,
        3988292384, 4027552580, 3604390888, 3412177804, 2607071920, 2262029012, 2685067896, 3183342108}';
    content CONSTANT bytea := convert_to(preset_id, 'UTF8');
    remainder bigint := 4294967295;
BEGIN
    FOR place IN 0 .. length(content) - 1 LOOP
        remainder := remainder # get_byte(content, place);
        remainder := steps[(remainder & 15) + 1] # (remainder >> 4);
        remainder := steps[(remainder & 15) + 1] # (remainder >> 4);
    END LOOP;
    RETURN remainder # 4294967295;
END $$;

ALTER TABLE presets ADD COLUMN preset_hash bigint NOT NULL GENERATED ALWAYS AS (hash_preset(id)) STORED;
ALTER TABLE workspaces ADD COLUMN preset_hash bigint NOT NULL GENERATED ALWAYS AS (hash_preset(preset_id)) STORED;
CREATE INDEX preset_shards ON presets (preset_hash);
CREATE INDEX prebuild_shards ON workspaces (preset_hash) WHERE owner_id = 'prebuilds' AND NOT deleted;

ALTER TABLE workspaces
ADD COLUMN build_failure text NOT NULL DEFAULT 'transient',
ADD COLUMN build_message text NOT NULL DEFAULT '';

ALTER TABLE builds
ADD COLUMN failure text NOT NULL DEFAULT 'transient',
ADD COLUMN message text NOT NULL DEFAULT '';

-- For finding the presets that have a history to look at.
CREATE INDEX failures ON builds (preset_id) WHERE transition = 'start' AND status = 'failed';

ALTER TABLE presets ADD COLUMN options jsonb NOT NULL DEFAULT '{}'; -- what `write_options` returns

CREATE TABLE budgets (
    scope text NOT NULL,
    key text COLLATE "C" NOT NULL, -- empty for the fleet
    max_starting integer,
    max_creates_per_pass integer,
    max_creates_per_minute integer,
    max_instances integer,
    PRIMARY KEY (scope, key)
);

CREATE TABLE claim_counts (
    preset_id text COLLATE "C" NOT NULL,
    minute timestamptz NOT NULL,
    slot integer NOT NULL,
    hits integer NOT NULL,
    misses integer NOT NULL,
    PRIMARY KEY (preset_id, minute, slot)
) WITH (fillfactor = 50);

ALTER TABLE presets ADD COLUMN template_version_candidate boolean NOT NULL DEFAULT false;
ALTER TABLE presets ADD COLUMN is_wanted boolean NOT NULL GENERATED ALWAYS AS (
    (template_version_active OR template_version_candidate) AND NOT template_deleted AND NOT template_deprecated
) STORED;

-- Whether a prebuild is within its own ttl, as `has_outlived` calculates it.
CREATE FUNCTION is_within_ttl(
    ttl interval, ttl_jitter double precision, workspace_id text, created_at timestamptz, moment timestamptz
) RETURNS boolean LANGUAGE sql STABLE AS $$
SELECT
    ttl_jitter = 0 OR coalesce(ttl, '0') <= '0' OR micros.age <= micros.ttl - trunc(micros.ttl * micros.share)::bigint
FROM (
    SELECT
        (extract(epoch FROM moment - created_at) * 1000000)::bigint AS age,
        (extract(epoch FROM is_within_ttl.ttl) * 1000000)::bigint AS ttl,
        ttl_jitter * ({schema}.hash_preset(workspace_id) / 4294967296.0::double precision) AS share
) AS micros
$$;

-- Keeps others from taking a lease until the transaction ends. `LEASE_LOST` of `failures` is its error code.
CREATE FUNCTION hold_lease(lease_name text, lease_token bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM {schema}.leases WHERE name = lease_name AND token = lease_token FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'PB001', MESSAGE = lease_name, DETAIL = lease_token;
    END IF;
END $$;
"""

VERSIONS: tuple[str, ...] = (_FIRST, _SECOND, _THIRD + CLAIM_FUNCTION)
"""The statements that lead to each version from the one before it."""
