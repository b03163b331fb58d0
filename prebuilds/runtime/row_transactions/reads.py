"""What a plan is made from, straight from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.decision.models import Preset
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection
from prebuilds.runtime.row_transactions.role import RowRole


class RowFleetReads(RowRole):
    """The role `FleetReads`."""

    def read_rows(
        self, selection: Selection = ALL_PRESETS, *, ended_since: datetime | None = None, latest: int = 0
    ) -> FleetRows:
        return self.rows.read_rows(selection, ended_since=ended_since, latest=latest)

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        return self.rows.list_presets(preset_id)
