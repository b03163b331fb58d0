"""What the tests of the adapters start from."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from prebuilds import BuildStatus, Preset, Transition
from prebuilds.runtime.models import BuildRequest, ClaimRequest
from prebuilds.runtime.ports import Transaction
from prebuilds.testing.contracts.equipment.requests import insert_one

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)


def make_start(number: int, **changes: Any) -> BuildRequest:
    values = {"build_id": f"b{number}", "workspace_id": f"w{number}", "preset_id": "p", "template_version_id": ""}
    return BuildRequest(**{"transition": Transition.START, **values, **changes})


def make_delete(number: int, *, build_id: str = "d") -> BuildRequest:
    return BuildRequest(build_id=build_id, workspace_id=f"w{number}", transition=Transition.DELETE)


def make_claim(**changes: Any) -> ClaimRequest:
    return ClaimRequest(**{"preset_id": "p", "owner_id": "user", "name": "mine", "claimed_at": NOW, **changes})


def add_preset(tx: Transaction, **changes: Any) -> Preset:
    preset = Preset(**{"id": "p", "desired_instances": 3, **changes})
    tx.put_preset(preset)
    return preset


def add_ready(tx: Transaction, number: int) -> None:
    """A prebuild that a user could have."""
    insert_one(tx, make_start(number), name=f"prebuild {number}", now=NOW)
    tx.finish_build(f"b{number}", BuildStatus.SUCCEEDED, now=NOW)
    tx.mark_ready(f"w{number}")
