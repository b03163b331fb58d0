"""What checks ask a store for: presets, the first builds and deletes of workspaces, and claims.

- A workspace `w` has the builds `w-1`, `w-2`, and so on.
- `at(seconds)` counts from a fixed instant, to the microsecond.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TypedDict

from typing_extensions import Unpack

from prebuilds.decision.models import Preset, Template, TemplateVersion, Transition
from prebuilds.runtime.models import BuildRequest, ClaimOrder, ClaimRequest, NewPrebuild
from prebuilds.runtime.ports import Transaction

_NOW = datetime(2026, 11, 23, 9, 30, 0, 123_456, tzinfo=timezone.utc)


class Undo(Exception):  # noqa: N818 - no failure: it makes a transaction roll back
    """Leaves a block, so that it is rolled back."""


def at(seconds: float) -> datetime:
    """The instant this long after the fixed one."""
    return _NOW + timedelta(seconds=seconds)


def make_preset(
    preset_id: str = "web",
    version_id: str = "v1",
    *,
    is_active: bool = True,
    is_candidate: bool = False,
    deleted: bool = False,
    deprecated: bool = False,
) -> Preset:
    """A preset of the template `t`."""
    template = Template(id="t", name="template", organization_id="o", deleted=deleted, deprecated=deprecated)
    version = TemplateVersion(id=version_id, template=template, is_active=is_active, is_candidate=is_candidate)
    return Preset(id=preset_id, name=f"preset {preset_id}", template_version=version, desired_instances=2)


WEB = make_preset()
DATA = make_preset("data")
INACTIVE = (make_preset(is_active=False), make_preset(deleted=True), make_preset(deprecated=True))
"""The preset `WEB`, inactive for each possible reason."""
CANDIDATE = make_preset(is_active=False, is_candidate=True)
"""The preset `WEB` of a candidate version: it gets prebuilds, and nobody can claim them."""


def request_start(workspace_id: str, preset: Preset = WEB, *, build_id: str | None = None) -> BuildRequest:
    """The first build of a workspace."""
    return BuildRequest(
        build_id=build_id or f"{workspace_id}-1",
        workspace_id=workspace_id,
        transition=Transition.START,
        preset_id=preset.id,
        template_version_id=preset.template_version.id,
        parameters=preset.parameters,
    )


def request_delete(workspace_id: str, number: int = 2, *, build_id: str | None = None) -> BuildRequest:
    """A delete, as the build of this number."""
    return BuildRequest(
        build_id=build_id or f"{workspace_id}-{number}", workspace_id=workspace_id, transition=Transition.DELETE
    )


def insert_one(tx: Transaction, request: BuildRequest, *, name: str, now: datetime) -> bool:
    """Add one prebuild. Returns whether it was added."""
    return tuple(tx.insert_prebuilds([NewPrebuild(name=name, request=request)], now=now)) == (request.build_id,)


def delete_one(tx: Transaction, request: BuildRequest, *, now: datetime) -> bool:
    """Add one delete. Returns whether it was added."""
    return request.build_id in tx.insert_deletes([request], now=now)


class ClaimOptions(TypedDict, total=False):
    """What `request_claim` takes besides the owner."""

    preset_id: str
    name: str
    request_id: str | None
    order: ClaimOrder
    created_since: datetime | None


def request_claim(owner_id: str = "alice", **options: Unpack[ClaimOptions]) -> ClaimRequest:
    """A request for a prebuild of the preset `web`, by default under a name made of the owner's."""
    given: ClaimOptions = {"preset_id": "web", "name": f"{owner_id}-desk", **options}
    return ClaimRequest(owner_id=owner_id, claimed_at=at(500), **given)
