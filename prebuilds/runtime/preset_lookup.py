"""Looking presets up within a transaction, for claims and controls."""

from __future__ import annotations

from prebuilds.decision.models import Preset
from prebuilds.errors import UnknownPresetError
from prebuilds.runtime.ports import FleetReads


def require_preset(reads: FleetReads, preset_id: str) -> Preset:
    """The preset with this id. Raises `UnknownPresetError`."""
    preset = next(iter(reads.list_presets(preset_id)), None)
    if preset is None:
        raise UnknownPresetError(preset_id)
    return preset


def is_of(preset: Preset, *, template_id: str | None = None, organization_id: str | None = None) -> bool:
    """Whether the preset belongs to this template and to this organisation; None stands for any."""
    template = preset.template_version.template
    return template_id in (None, template.id) and organization_id in (None, template.organization_id)
