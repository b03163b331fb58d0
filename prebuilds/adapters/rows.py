"""From models to rows and back, for every adapter that keeps them in SQL.

- A row is a tuple of Python values: datetimes in UTC, timedeltas, True and False. JSON is already parsed, but in the
  rows of presets that are read it is text.
- Making a preset checks it, and presets rarely change from one pass to the next. So adapters keep those of recent rows
  in a cache by the whole row. They are frozen, so sharing them is safe.
- `PRESET_COLUMNS`, `CLAIM_COLUMNS`, `OUTCOME_COLUMNS` and `BUDGET_COLUMNS` name the columns of their rows, in the order
  of the values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import attrs

from prebuilds.adapters.preset_options import read_options, write_options
from prebuilds.adapters.schedule_rows import flatten_schedules, make_schedules
from prebuilds.decision.models import Build, BuildStatus, PrebuildStatus, Preset, Template, TemplateVersion, Transition
from prebuilds.decision.parameters import Parameters
from prebuilds.decision.policies.budgets import Budget, BudgetScope
from prebuilds.decision.policies.failures import FailureClass
from prebuilds.decision.unchecked import make_factory
from prebuilds.runtime.models import ClaimOrder, ClaimRequest, Workspace, WorkspaceBuild

Row = tuple[Any, ...]

REMEMBERED = 2**17
"""How many presets an adapter keeps in its cache. Each takes about 1 kB."""

PRESET_COLUMNS = (
    "id",
    "name",
    "desired_instances",
    "ttl",
    "timezone",
    "schedules",  # JSON, of `schedule_rows`: [{"cron": "* 8-18 * * 1-5", "instances": 5}]
    "last_invalidated_at",
    "prebuild_status",
    "parameters",  # JSON: {"name": "value"}
    "options",  # JSON: what `write_options` returns
    "template_version_id",
    "template_version_name",
    "template_version_active",
    "template_version_candidate",
    "template_id",
    "template_name",
    "organization_id",
    "organization_name",
    "template_deleted",
    "template_deprecated",
)
BUDGET_COLUMNS = tuple(field.name for field in attrs.fields(Budget))
CLAIM_COLUMNS = ("preset_id", "created_since", "claim_order", "owner_id", "name", "request_id", "claimed_at")
OUTCOME_COLUMNS = (
    "id",
    "preset_id",
    "template_version_id",
    "status",
    "created_at",
    "finished_at",
    "failure",
    "message",
)


_TRANSITIONS = {each.value: each for each in Transition}
_STATUSES = {each.value: each for each in BuildStatus}
_FAILURES = {each.value: each for each in FailureClass}
_BUILD = (
    *("id", "number", "transition", "status", "template_version_id"),
    *("created_at", "finished_at", "submitted", "failure", "message"),
)
_WORKSPACE = (
    *("id", "name", "owner_id", "preset_id", "template_id", "parameters", "created_at"),
    *("ready", "retired", "deleted", "failed_deletes", "last_build"),
)
_OUTCOME = (
    *("id", "preset_id", "template_version_id", "transition", "status"),
    *("created_at", "finished_at", "failure", "message"),
)
_make_build = make_factory(WorkspaceBuild, _BUILD)
_make_workspace = make_factory(Workspace, _WORKSPACE)
_make_outcome = make_factory(Build, _OUTCOME)


def flatten_preset(preset: Preset) -> Row:
    """The values of `PRESET_COLUMNS`."""
    version, template = preset.template_version, preset.template_version.template
    return (
        preset.id,
        preset.name,
        preset.desired_instances,
        preset.ttl,
        preset.timezone,
        flatten_schedules(preset.schedules),
        preset.last_invalidated_at,
        preset.prebuild_status.value,
        dict(preset.parameters),
        write_options(preset),
        version.id,
        version.name,
        version.is_active,
        version.is_candidate,
        template.id,
        template.name,
        template.organization_id,
        template.organization_name,
        template.deleted,
        template.deprecated,
    )


def make_preset(row: Row) -> Preset:
    """The preset in the values of `PRESET_COLUMNS`, with JSON as text."""
    return Preset(
        id=row[0],
        name=row[1],
        desired_instances=row[2],
        ttl=row[3],
        timezone=row[4],
        schedules=make_schedules(parse_json(row[5])),
        last_invalidated_at=row[6],
        prebuild_status=PrebuildStatus(row[7]),
        parameters=parse_json(row[8]),
        template_version=_make_version(*row[10:]),
        **read_options(parse_json(row[9])),
    )


def parse_json(text: str) -> Any:
    """The value in JSON. Most presets have no schedules, no parameters and no options."""
    return {} if text == "{}" else () if text == "[]" else json.loads(text)


@lru_cache(2**12)  # many presets have one version
def _make_version(*values: Any) -> TemplateVersion:
    id_, name, is_active, is_candidate, *template = values
    template_id, template_name, organization_id, organization_name, deleted, deprecated = template
    return TemplateVersion(
        id=id_,
        name=name,
        is_active=is_active,
        is_candidate=is_candidate,
        template=Template(
            id=template_id,
            name=template_name,
            organization_id=organization_id,
            organization_name=organization_name,
            deleted=deleted,
            deprecated=deprecated,
        ),
    )


def flatten_budget(budget: Budget) -> Row:
    """The values of `BUDGET_COLUMNS`."""
    return budget.scope.value, *attrs.astuple(budget)[1:]


def make_budget(row: Row) -> Budget:
    """The budget in the values of `BUDGET_COLUMNS`."""
    scope, *values = row
    return Budget(scope=BudgetScope(scope), **dict(zip(BUDGET_COLUMNS[1:], values, strict=True)))


def make_workspace(row: Row) -> Workspace:
    """The workspace in a row of its own values, then those of its last build, as in `_WORKSPACE` and `_BUILD`.

    Only this library writes workspaces, and what it wrote had been checked.
    """
    # Each value by its name, as parts of the row would be lists of their own: there may be 100,000 rows.
    id_, name, owner_id, preset_id, template_id, parameters, created_at, ready, retired, deleted, failed, *build = row
    build_id, number, transition, status, version_id, began_at, ended_at, submitted, failure, message = build
    last = _make_build(
        build_id,
        number,
        _TRANSITIONS[transition],
        _STATUSES[status],
        version_id,
        began_at,
        ended_at,
        submitted,
        _FAILURES[failure],
        message,
    )
    return _make_workspace(
        id_,
        name,
        owner_id,
        preset_id,
        template_id,
        make_parameters(parameters),
        created_at,
        ready,
        retired,
        deleted,
        failed,
        last,
    )


def make_outcome(row: Row) -> Build:
    """The start build in the values of `OUTCOME_COLUMNS`. Only this library writes them."""
    id_, preset_id, version_id, status, created_at, finished_at, failure, message = row
    return _make_outcome(
        id_,
        preset_id,
        version_id,
        Transition.START,
        _STATUSES[status],
        created_at,
        finished_at,
        _FAILURES[failure],
        message,
    )


def make_parameters(values: Mapping[str, str] | None) -> Parameters | None:
    """The parameters in parsed JSON; None where nobody knows them."""
    return tuple(sorted(values.items())) if values else None if values is None else ()


def flatten_request(request: ClaimRequest) -> Row:
    """The values of `CLAIM_COLUMNS`."""
    return (
        request.preset_id,
        request.created_since,
        request.order.value,
        request.owner_id,
        request.name,
        request.request_id,
        request.claimed_at,
    )


def make_claim_request(row: Row) -> ClaimRequest:
    """The take in the values of `CLAIM_COLUMNS`."""
    return ClaimRequest(
        preset_id=row[0],
        created_since=row[1],
        order=ClaimOrder(row[2]),
        owner_id=row[3],
        name=row[4],
        request_id=row[5],
        claimed_at=row[6],
    )
