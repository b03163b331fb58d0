"""SQL that SQLite and PostgreSQL read alike."""

from __future__ import annotations

import attrs

from prebuilds.adapters.rows import OUTCOME_COLUMNS

LATER_OUTCOME_COLUMNS = ", ".join(OUTCOME_COLUMNS[1:])
"""All but the id, which other tables of the query have too."""


@attrs.frozen
class PlanQueries:
    """The queries for a selection of presets. All have the same parameters, and those for builds have more.

    `outcomes` selects the builds of all of them, and `failing` those of the presets that ever failed.
    """

    presets: str
    prebuilds: str
    outcomes: str
    failing: str
    resets: str


HAS_FAILED = """EXISTS (
    SELECT 1 FROM builds
    WHERE builds.preset_id = presets.id AND builds.transition = 'start' AND builds.status = 'failed'
)"""
"""The condition that a start build of a preset ever failed. An index of these builds serves it."""


def list_counted_versions(fleet: str, outcome: str) -> str:
    """The tables of a WITH RECURSIVE: `fleet`, and `counted`, the template versions whose builds count for each preset.

    `fleet` selects (id, version, reset_at), and `outcome` is the condition that a build is a start that has ended.
    """
    return f"""
    fleet AS ({fleet}),
    -- A preset without a known version counts the builds of all versions: the index gives them one by one.
    versions (id, version, reset_at, is_any) AS (
        SELECT id, '', reset_at, version = '' FROM fleet
        UNION ALL
        SELECT id, (
            SELECT min(template_version_id) FROM builds
            WHERE builds.preset_id = versions.id AND {outcome} AND builds.template_version_id > versions.version
        ), reset_at, is_any
        FROM versions WHERE is_any AND version IS NOT NULL
    ),
    counted AS (
        SELECT id, version, reset_at FROM versions WHERE version IS NOT NULL
        UNION ALL
        SELECT id, version, reset_at FROM fleet WHERE version <> ''
    )"""  # noqa: S608 - both are constants
