"""From models to SQLite's rows and back: instants become whole microseconds, and flags numbers.

- Every field comes back exactly as it was.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from prebuilds.adapters.rows import (
    PRESET_COLUMNS,
    REMEMBERED,
    Row,
    flatten_preset,
    flatten_request,
    make_claim_request,
    make_outcome,
    make_preset,
    make_workspace,
    parse_json,
)
from prebuilds.decision.fields import INSTANT_ALLOWED, is_instant, to_utc
from prebuilds.decision.models import Build, Preset
from prebuilds.decision.parameters import Parameters
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.models import ClaimRequest, Workspace

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)

LISTED_PRESET_COLUMNS = ", ".join(PRESET_COLUMNS)
SELECT_WORKSPACES = """
    SELECT
        workspaces.id, workspaces.name, workspaces.owner_id, workspaces.preset_id, workspaces.template_id,
        workspaces.parameters, workspaces.created_at,
        workspaces.ready, workspaces.retired, workspaces.deleted, workspaces.failed_deletes,
        builds.id, builds.number, builds.transition, builds.status, builds.template_version_id,
        builds.created_at, builds.finished_at, builds.submitted, builds.failure, builds.message
    FROM workspaces
    JOIN builds ON builds.workspace_id = workspaces.id AND builds.number = workspaces.last_number
"""

EACH = "SELECT value FROM json_each(?)"
"""The values of a list that is bound as JSON."""


def check_instant(name: str, value: datetime) -> datetime:
    """The value in UTC. Raises `InvalidValueError`, with the argument's name, if it is not an instant."""
    instant: datetime = to_utc(value)
    if not is_instant(instant):
        raise InvalidValueError("Transaction", name, value, INSTANT_ALLOWED)
    return instant


def write_instant(name: str, value: datetime) -> int:
    """Microseconds since 1970. Raises `InvalidValueError`, with the argument's name, if it is not an instant."""
    return (check_instant(name, value) - _EPOCH) // _MICROSECOND


def write_optional_instant(name: str, value: datetime | None) -> int | None:
    return None if value is None else write_instant(name, value)


def read_instant(micros: int) -> datetime:
    return _EPOCH + timedelta(0, 0, micros)  # by place, as keywords take half as long again


def read_optional_instant(micros: int | None) -> datetime | None:
    return None if micros is None else read_instant(micros)


@lru_cache(REMEMBERED)
def write_parameters(parameters: Parameters) -> str:
    """As JSON. Equal parameters give equal text, as they are sorted by name."""
    return json.dumps(dict(parameters))


def write_preset(preset: Preset) -> Row:
    """The values of `PRESET_COLUMNS`."""
    id_, name, desired, ttl, zone, schedules, invalidated_at, status, _, options, *version = flatten_preset(preset)
    return (
        id_,
        name,
        desired,
        None if ttl is None else ttl // _MICROSECOND,
        zone,
        json.dumps(schedules),
        write_optional_instant("last_invalidated_at", invalidated_at),
        status,
        write_parameters(preset.parameters),
        json.dumps(options),
        *version,
    )


@lru_cache(REMEMBERED)
def read_preset(row: Row) -> Preset:
    """The preset in the values of `PRESET_COLUMNS`."""
    id_, name, desired, ttl, zone, schedules, invalidated_at, status, parameters, options, *version = row
    version_id, version_name, is_active, is_candidate, *template, deleted, deprecated = version
    return make_preset(
        (
            id_,
            name,
            desired,
            None if ttl is None else timedelta(microseconds=ttl),
            zone,
            schedules,
            read_optional_instant(invalidated_at),
            status,
            parameters,
            options,
            version_id,
            version_name,
            bool(is_active),
            bool(is_candidate),
            *template,
            bool(deleted),
            bool(deprecated),
        )
    )


def read_workspace(row: Row) -> Workspace:
    """The workspace in a row of `SELECT_WORKSPACES`."""
    id_, name, owner, preset_id, template_id, parameters, created, ready, retired, deleted, failed_deletes, *build = row
    build_id, number, transition, status, version_id, began, ended, submitted, failure, message = build
    created_at = read_instant(created)
    return make_workspace(
        (
            id_,
            name,
            owner,
            preset_id,
            template_id,
            None if parameters is None else parse_json(parameters),
            created_at,
            ready == 1,
            retired == 1,
            deleted == 1,
            failed_deletes,
            build_id,
            number,
            transition,
            status,
            version_id,
            created_at if began == created else read_instant(began),
            read_optional_instant(ended),
            submitted == 1,
            failure,
            message,
        )
    )


def read_outcome(row: Row) -> Build:
    """The start build in the values of `OUTCOME_COLUMNS`."""
    id_, preset_id, version_id, status, began, ended, failure, message = row
    return make_outcome(
        (id_, preset_id, version_id, status, read_instant(began), read_instant(ended), failure, message)
    )


def write_request(request: ClaimRequest) -> Row:
    """The values of (preset_id, created_since, order, owner_id, name, request_id, claimed_at)."""
    preset_id, created_since, *rest, claimed_at = flatten_request(request)
    since = write_optional_instant("created_since", created_since)
    return (preset_id, since, *rest, write_instant("claimed_at", claimed_at))


def read_take(row: Row) -> ClaimRequest:
    """The reverse of `write_take`."""
    preset_id, created_since, *rest, claimed_at = row
    return make_claim_request((preset_id, read_optional_instant(created_since), *rest, read_instant(claimed_at)))
