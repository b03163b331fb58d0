"""What a plan is made from, straight from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from prebuilds.decision.models import Preset
from prebuilds.runtime.fleet_rows import ALL_PRESETS, FleetRows, Selection
from prebuilds.runtime.ports.capabilities import Capability
from prebuilds.runtime.row_transactions.role import RowRole


class RowFleetReads(RowRole):
    """The role `FleetReads`."""

    def read_rows(
        self,
        selection: Selection = ALL_PRESETS,
        *,
        ended_since: datetime | None = None,
        latest: int = 0,
        failing_only: bool = False,  # noqa: ARG002 - rows of others do no harm
    ) -> FleetRows:
        rows = self.rows.read_rows(selection, ended_since=ended_since, latest=latest)
        return rows if Capability.MEMBERSHIPS in self.capabilities else _join_all(rows)

    def list_presets(self, preset_id: str | None = None) -> Sequence[Preset]:
        return self.rows.list_presets(preset_id)


def _join_all(rows: FleetRows) -> FleetRows:
    """The rows, with the prebuilds user as a member of every organisation of a preset: its host lets it in."""
    organizations = {preset.template_version.template.organization_id for preset in rows.presets}
    return attrs.evolve(rows, memberships=sorted(organizations))
