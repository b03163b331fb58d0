"""What a plan is made from, straight from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.decision.models import Build, Preset
from prebuilds.runtime.models import Workspace
from prebuilds.runtime.row_transactions.role import RowRole


class RowFleetReads(RowRole):
    """The role `FleetReads`, without what belongs to a capability."""

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        return self.rows.list_presets(preset_id)

    def list_prebuilds(self, preset_id: str | None = None) -> Sequence[Workspace]:
        return self.rows.list_prebuilds(preset_id)

    def list_builds(self, *, ended_since: datetime, latest: int, preset_id: str | None = None) -> Sequence[Build]:
        return self.rows.list_builds(ended_since=ended_since, latest=latest, preset_id=preset_id)

    def list_resets(self, preset_id: str | None = None) -> Sequence[tuple[str, datetime]]:
        return self.rows.list_resets(preset_id)
