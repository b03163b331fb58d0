"""What people set for presets, over rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from prebuilds.decision.models import PrebuildStatus, Preset
from prebuilds.decision.presets import set_stage
from prebuilds.runtime.row_transactions.role import RowRole


class RowSettingsWrites(RowRole):
    """The role `SettingsWrites`, without what belongs to a capability."""

    def set_prebuild_status(self, preset_id: str, status: PrebuildStatus) -> None:
        self._change_preset(preset_id, prebuild_status=status)

    def set_reset(self, preset_id: str, *, at: datetime) -> None:
        if self._written.lock_preset(preset_id, exclusive=True):
            self.rows.put_reset(preset_id, at)

    def set_invalidated(self, preset_id: str, *, at: datetime) -> None:
        self._change_preset(preset_id, last_invalidated_at=at)

    def set_stage(self, preset_id: str, *, is_active: bool, is_candidate: bool) -> None:
        preset = self._written.lock_preset(preset_id, exclusive=True)
        if preset:
            self.rows.put_preset(set_stage(preset, is_active=is_active, is_candidate=is_candidate))

    def put_preset(self, preset: Preset) -> None:
        self._written.put_preset(preset)

    def _change_preset(self, preset_id: str, **changes: Any) -> None:
        preset = self._written.lock_preset(preset_id, exclusive=True)
        if preset:
            self.rows.put_preset(attrs.evolve(preset, **changes))
