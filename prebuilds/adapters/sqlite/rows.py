"""Rows to models and back.

- Every field comes back as it was, to the microsecond and to the last character.
- Models are checked when they are made, and from round to round most rows are the same. So the models made of the last
  rows are remembered, as they are frozen; a row that differs in anything is another row.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from prebuilds.adapters.sqlite.statements import Row
from prebuilds.decision.fields import INSTANT_ALLOWED, is_instant, to_utc
from prebuilds.decision.models import (
    Build,
    BuildStatus,
    PrebuildStatus,
    Preset,
    Schedule,
    Template,
    TemplateVersion,
    Transition,
)
from prebuilds.errors import InvalidValueError
from prebuilds.runtime.models import ClaimOrder, Take, Workspace, WorkspaceBuild

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_REMEMBERED = 2**14  # models of each kind

PRESET_COLUMNS = """
    id, name, desired_instances, ttl, timezone, schedules, last_invalidated_at, prebuild_status, parameters,
    template_version_id, template_version_name, template_version_active,
    template_id, template_name, organization_id, organization_name, template_deleted, template_deprecated
"""
SELECT_WORKSPACES = """
    SELECT
        workspaces.id, workspaces.name, workspaces.owner_id, workspaces.preset_id, workspaces.template_id,
        workspaces.created_at, workspaces.ready, workspaces.deleted, workspaces.failed_deletes,
        builds.id, builds.number, builds.transition, builds.status, builds.template_version_id,
        builds.created_at, builds.finished_at, builds.submitted
    FROM workspaces
    JOIN builds ON builds.workspace_id = workspaces.id AND builds.number = workspaces.last_number
"""


def write_instant(name: str, value: datetime) -> int:
    """The microseconds since 1970 of the argument of this name. Raises `InvalidValueError` if it is no instant."""
    instant = to_utc(value)
    if not is_instant(instant):
        raise InvalidValueError("Transaction", name, value, INSTANT_ALLOWED)
    micros: int = (instant - _EPOCH) // _MICROSECOND
    return micros


def write_optional_instant(name: str, value: datetime | None) -> int | None:
    return None if value is None else write_instant(name, value)


def read_instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def read_optional_instant(micros: int | None) -> datetime | None:
    return None if micros is None else read_instant(micros)


def write_preset(preset: Preset) -> Row:
    """The values of `PRESET_COLUMNS`."""
    version, template = preset.template_version, preset.template_version.template
    return (
        preset.id,
        preset.name,
        preset.desired_instances,
        None if preset.ttl is None else preset.ttl // _MICROSECOND,
        preset.timezone,
        json.dumps([{"cron": schedule.cron, "instances": schedule.instances} for schedule in preset.schedules]),
        write_optional_instant("last_invalidated_at", preset.last_invalidated_at),
        preset.prebuild_status.value,
        json.dumps(dict(preset.parameters)),
        version.id,
        version.name,
        version.is_active,
        template.id,
        template.name,
        template.organization_id,
        template.organization_name,
        template.deleted,
        template.deprecated,
    )


@lru_cache(_REMEMBERED)
def read_preset(row: Row) -> Preset:
    """The preset in the values of `PRESET_COLUMNS`."""
    return Preset(
        id=row[0],
        name=row[1],
        desired_instances=row[2],
        ttl=None if row[3] is None else timedelta(microseconds=row[3]),
        timezone=row[4],
        schedules=[Schedule(**schedule) for schedule in json.loads(row[5])],
        last_invalidated_at=read_optional_instant(row[6]),
        prebuild_status=PrebuildStatus(row[7]),
        parameters=json.loads(row[8]),
        template_version=_read_version(*row[9:]),
    )


def _read_version(
    id_: str, name: str, is_active: int, template_id: str, template_name: str, *rest: Any
) -> TemplateVersion:
    organization_id, organization_name, deleted, deprecated = rest
    template = Template(
        id=template_id,
        name=template_name,
        organization_id=organization_id,
        organization_name=organization_name,
        deleted=bool(deleted),
        deprecated=bool(deprecated),
    )
    return TemplateVersion(id=id_, name=name, is_active=bool(is_active), template=template)


@lru_cache(_REMEMBERED)
def read_workspace(row: Row) -> Workspace:
    """The workspace in a row of `SELECT_WORKSPACES`."""
    return Workspace(
        id=row[0],
        name=row[1],
        owner_id=row[2],
        preset_id=row[3],
        template_id=row[4],
        created_at=read_instant(row[5]),
        ready=bool(row[6]),
        deleted=bool(row[7]),
        failed_deletes=row[8],
        last_build=WorkspaceBuild(
            id=row[9],
            number=row[10],
            transition=Transition(row[11]),
            status=BuildStatus(row[12]),
            template_version_id=row[13],
            created_at=read_instant(row[14]),
            finished_at=read_optional_instant(row[15]),
            submitted=bool(row[16]),
        ),
    )


@lru_cache(_REMEMBERED)
def read_outcome(row: Row) -> Build:
    """The build in a row of (id, preset_id, status, created_at, finished_at); it is a start."""
    return Build(
        id=row[0],
        preset_id=row[1],
        status=BuildStatus(row[2]),
        created_at=read_instant(row[3]),
        finished_at=read_instant(row[4]),
    )


def write_take(take: Take) -> Row:
    """The values of (preset_id, created_since, order, owner_id, name, request_id, claimed_at)."""
    return (
        take.preset_id,
        write_optional_instant("created_since", take.created_since),
        take.order.value,
        take.owner_id,
        take.name,
        take.request_id,
        write_instant("claimed_at", take.claimed_at),
    )


def read_take(row: Row) -> Take:
    """The reverse of `write_take`."""
    return Take(
        preset_id=row[0],
        created_since=read_optional_instant(row[1]),
        order=ClaimOrder(row[2]),
        owner_id=row[3],
        name=row[4],
        request_id=row[5],
        claimed_at=read_instant(row[6]),
    )
