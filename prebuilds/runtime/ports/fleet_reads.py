"""Reading what a plan is made from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.models import Workspace


class FleetReads(Protocol):
    """What a plan is made from. With a `preset_id`, only rows of that preset are read; none if it is unknown."""

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        """Every preset that may need or still have prebuilds, including inactive ones, in a stable order.

        Normally a preset belongs to one template version for good. Promoting another version makes all presets of the
        old one inactive at once. If a preset keeps its id but changes its version or its parameters, its existing
        prebuilds are outdated (R2).
        """
        ...

    def list_prebuilds(self, preset_id: str | None = None) -> Sequence[Workspace]:
        """Every workspace of the prebuilds user that is not deleted, in any state of its last build. In any order."""
        ...

    def list_builds(self, *, ended_since: datetime, latest: int, preset_id: str | None = None) -> Sequence[Build]:
        """The builds that decide backoffs and hard limits (R13), in any order; extra builds do no harm.

        They are start builds of prebuilds that succeeded or failed, began after the preset's last reset, and ran with
        the version that the preset has now, where both are known. For each preset, return those that ended at
        `ended_since` or later, and all builds of its `latest` most recent attempts. Builds with the same `created_at`
        began in one pass and are one attempt. Include builds of workspaces that have been claimed or deleted since.
        `make_outcome` turns a finished build into a `Build`.
        """
        ...

    def list_resets(self, preset_id: str | None = None) -> Sequence[tuple[str, datetime]]:
        """When each preset was last reset, as (preset id, instant); presets never reset are left out."""
        ...

    def list_memberships(self) -> Sequence[str]:
        """The ids of the organisations that the prebuilds user belongs to."""
        ...

    def is_paused(self) -> bool:
        """Whether reconciliation is paused."""
        ...
