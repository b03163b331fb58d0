"""The function of the schema that makes a whole claim; version 3 of the schema adds it.

- It keeps the rules of `Claims` over a transaction. The contract checks hold both to them.
- `{schema}` stands for the name of the schema. With it the function depends on no search path, and need set none.
"""

from __future__ import annotations

CLAIM_FUNCTION = """
-- The columns of a workspace in the order of `make_workspace`, its instants as microseconds since 1970.
CREATE FUNCTION {schema}.describe_workspace(workspace {schema}.workspaces) RETURNS json LANGUAGE sql STABLE AS $$
SELECT json_build_array(
    workspace.id, workspace.name, workspace.owner_id, workspace.preset_id, workspace.template_id,
    workspace.parameters, (extract(epoch FROM workspace.created_at) * 1000000)::bigint,
    workspace.ready, workspace.retired, workspace.deleted, workspace.failed_deletes,
    workspace.build_id, workspace.build_number, workspace.build_transition, workspace.build_status,
    workspace.build_version_id, (extract(epoch FROM workspace.build_created_at) * 1000000)::bigint,
    (extract(epoch FROM workspace.build_finished_at) * 1000000)::bigint, workspace.build_submitted,
    workspace.build_failure, workspace.build_message
)
$$;

-- A whole claim in one call. It locks the prebuild but not the preset, so that claims of one preset never wait for each
-- other. What it reads of the preset is true at that moment, and its transaction ends with the call.
CREATE FUNCTION {schema}.claim_prebuild(
    wanted_preset text, is_newest_first boolean, new_owner text, new_name text, request text, claim_at timestamptz,
    message_topic text, message_body text,
    OUT outcome text, OUT workspace json
) LANGUAGE plpgsql AS $$
DECLARE
    is_same boolean;
    preset_is_active boolean;
    preset_version text;
    preset_parameters jsonb;
    preset_ttl interval;
    preset_jitter double precision;
    cutoff timestamptz;
    chosen text;
BEGIN
    IF request IS NOT NULL THEN
        -- A second call with this request id waits for the first one, and then finds what it took.
        PERFORM pg_advisory_xact_lock(hashtextextended(request, 3));
        SELECT
            (claims.preset_id, claims.owner_id, claims.name) = (wanted_preset, new_owner, new_name),
            CASE WHEN taken.deleted OR taken.owner_id <> new_owner THEN 'released' ELSE 'repeated' END,
            {schema}.describe_workspace(taken)
        INTO is_same, outcome, workspace
        FROM {schema}.claims JOIN {schema}.workspaces AS taken ON taken.id = claims.workspace_id
        WHERE claims.request_id = request;
        IF FOUND THEN
            IF NOT is_same THEN
                outcome := 'conflict';
            END IF;
            RETURN;
        END IF;
    END IF;

    SELECT
        is_active, template_version_id, parameters, ttl, coalesce((options ->> 'ttl_jitter')::double precision, 0),
        greatest( -- of those that are there; in UTC, where each day has 24 hours
            CASE WHEN last_invalidated_at <= claim_at THEN last_invalidated_at END,
            CASE WHEN ttl > '0' AND ttl <= claim_at - '0001-01-01 00:00:00+00'::timestamptz
                THEN (claim_at AT TIME ZONE 'UTC' - ttl) AT TIME ZONE 'UTC' END
        )
    INTO preset_is_active, preset_version, preset_parameters, preset_ttl, preset_jitter, cutoff
    FROM {schema}.presets WHERE id = wanted_preset;
    IF NOT FOUND THEN
        outcome := 'unknown_preset';
        RETURN;
    END IF;

    IF preset_is_active AND is_newest_first THEN
        SELECT id INTO chosen FROM {schema}.workspaces
        WHERE preset_id = wanted_preset AND owner_id = 'prebuilds' AND NOT deleted AND ready
        AND build_transition = 'start' AND build_status = 'succeeded' AND NOT retired
        AND (build_version_id = '' OR preset_version IN ('', build_version_id))
        AND (parameters IS NULL OR parameters = preset_parameters)
        AND created_at >= coalesce(cutoff, '-infinity')
        AND (preset_jitter = 0 OR {schema}.is_within_ttl(preset_ttl, preset_jitter, id, created_at, claim_at))
        ORDER BY created_at DESC, id DESC LIMIT 1
        FOR UPDATE SKIP LOCKED;
    ELSIF preset_is_active THEN
        SELECT id INTO chosen FROM {schema}.workspaces
        WHERE preset_id = wanted_preset AND owner_id = 'prebuilds' AND NOT deleted AND ready
        AND build_transition = 'start' AND build_status = 'succeeded' AND NOT retired
        AND (build_version_id = '' OR preset_version IN ('', build_version_id))
        AND (parameters IS NULL OR parameters = preset_parameters)
        AND created_at >= coalesce(cutoff, '-infinity')
        AND (preset_jitter = 0 OR {schema}.is_within_ttl(preset_ttl, preset_jitter, id, created_at, claim_at))
        ORDER BY created_at, id LIMIT 1
        FOR UPDATE SKIP LOCKED;
    END IF;

    IF chosen IS NULL THEN
        outcome := CASE WHEN preset_is_active THEN 'none_eligible' ELSE 'inactive_preset' END;
    ELSE
        outcome := 'claimed';
        IF request IS NOT NULL THEN
            INSERT INTO {schema}.claims (
                request_id, preset_id, created_since, claim_order, owner_id, name, claimed_at, workspace_id
            ) VALUES (
                request, wanted_preset, cutoff, CASE WHEN is_newest_first THEN 'newest_first' ELSE 'oldest_first' END,
                new_owner, new_name, claim_at, chosen
            );
        END IF;
        UPDATE {schema}.workspaces SET owner_id = new_owner, name = new_name WHERE id = chosen
        RETURNING {schema}.describe_workspace(workspaces) INTO workspace;
        INSERT INTO {schema}.outbox (topic, body) VALUES (message_topic, message_body);
    END IF;
    -- Last, as other claims may wait for the slot until this one is committed.
    INSERT INTO {schema}.counters (preset_id, counter, slot, value)
    VALUES (
        wanted_preset, CASE WHEN chosen IS NULL THEN 'claim_missed' ELSE 'claimed' END, pg_backend_pid() % 64, 1
    )
    ON CONFLICT (preset_id, counter, slot) DO UPDATE SET value = counters.value + 1;
    INSERT INTO {schema}.claim_counts (preset_id, minute, slot, hits, misses)
    VALUES (
        wanted_preset, date_trunc('minute', claim_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', pg_backend_pid() % 64,
        (chosen IS NOT NULL)::integer, (chosen IS NULL)::integer
    )
    ON CONFLICT (preset_id, minute, slot) DO UPDATE
    SET hits = claim_counts.hits + excluded.hits, misses = claim_counts.misses + excluded.misses;
END
$$;
"""
