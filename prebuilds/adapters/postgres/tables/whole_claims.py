"""A whole claim, as one call of a function of the schema. What it answers becomes a `Claim`, or an error."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from psycopg import errors

from prebuilds.adapters.postgres.connections.single_calls import SingleCalls
from prebuilds.adapters.postgres.tables.claims import refuse_claim
from prebuilds.adapters.rows import make_workspace
from prebuilds.errors import ClaimConflictError, UnknownPresetError
from prebuilds.runtime.claim_answers import Claim, MissReason
from prebuilds.runtime.models import ClaimOrder, ClaimRequest, Message, Workspace

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_INSTANTS = (6, 16, 17)  # among the values of a workspace


def make_claim(calls: SingleCalls, request: ClaimRequest, message: Message) -> Claim:
    """Make a claim as `DirectClaims.claim` says."""
    try:
        return _call(calls, request, message)
    except errors.UniqueViolation as error:
        if error.diag.constraint_name != "requests":
            refuse_claim(request, error)
    # A transaction with several calls has used the request id meanwhile. The function finds its claim now.
    return _call(calls, request, message)


def _call(calls: SingleCalls, request: ClaimRequest, message: Message) -> Claim:
    outcome, workspace = calls.call(
        "claim_prebuild",
        request.preset_id,
        request.order is ClaimOrder.NEWEST_FIRST,
        request.owner_id,
        request.name,
        request.request_id,
        request.claimed_at,
        message.topic,
        message.body,
    )
    return _make_answer(request, outcome, None if workspace is None else json.loads(workspace))


def _make_answer(request: ClaimRequest, outcome: str | None, row: list[Any] | None) -> Claim:
    if outcome == "unknown_preset":
        raise UnknownPresetError(request.preset_id)
    if outcome == "conflict":
        raise ClaimConflictError(request.request_id or "")
    if row is not None and outcome != "released":
        return Claim(preset_id=request.preset_id, workspace=_read_workspace(row), is_repeated=outcome == "repeated")
    return Claim(preset_id=request.preset_id, reason=MissReason(outcome), is_repeated=outcome == "released")


def _read_workspace(row: list[Any]) -> Workspace:
    for index in _INSTANTS:
        if row[index] is not None:
            row[index] = _EPOCH + timedelta(microseconds=row[index])
    return make_workspace(tuple(row))
