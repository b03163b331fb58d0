"""Which version of a template is active, and which are candidates (R17).

The presets of all versions are in the store, each under an id of its own. A change writes their rows within one
transaction. Claims and creates look at these rows, so a promotion takes effect as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prebuilds.decision.models import Preset
from prebuilds.errors import ActiveVersionError, InvalidValueError, UnknownVersionError, show
from prebuilds.runtime.build_reports import make_change_message
from prebuilds.runtime.ports import FleetReads, Transaction
from prebuilds.runtime.preset_lookup import is_of


def require_version(reads: FleetReads, version_id: str, *, template_id: str | None = None) -> Sequence[Preset]:
    """The presets of the template that has this version, those of its other versions included, in the order of ids.

    Raises `UnknownVersionError`, and `InvalidValueError` if it is not clear which template is meant.
    """
    presets = [preset for preset in reads.list_presets() if is_of(preset, template_id=template_id)]
    templates = {_get_template_id(preset) for preset in presets if preset.template_version.id == version_id}
    if not templates or not version_id:
        raise UnknownVersionError(version_id)
    if len(templates) > 1 or "" in templates:
        allowed = f"the id of the version's template, which its presets name; they name {show(sorted(templates))}"
        raise InvalidValueError("require_version", "template_id", template_id, allowed)
    return sorted((preset for preset in presets if _get_template_id(preset) in templates), key=_get_id)


def _get_template_id(preset: Preset) -> str:
    return preset.template_version.template.id


def _get_id(preset: Preset) -> str:
    return preset.id


def set_candidate(tx: Transaction, version_id: str, template_id: str | None, *, is_candidate: bool) -> Sequence[str]:
    """Make a version a candidate, or no longer one. Returns the ids of its presets. Raises as `Controls.stage` does."""
    presets = require_version(tx, version_id, template_id=template_id)
    own = list_of_version(presets, version_id)
    if any(preset.template_version.is_active for preset in presets if preset.id in own):
        raise ActiveVersionError(version_id)
    for preset_id in own:
        _set_stage(tx, preset_id, is_candidate=is_candidate)
    return own


def promote(tx: Transaction, version_id: str, template_id: str | None) -> Sequence[str]:
    """Make a version the active one. Returns the ids of its presets. Raises as `Controls.promote` does.

    Writes every preset of the template, so that two promotions at once have one in common.
    """
    presets = require_version(tx, version_id, template_id=template_id)
    own = list_of_version(presets, version_id)
    for preset in presets:
        is_own = preset.id in own
        _set_stage(tx, preset.id, is_active=is_own, is_candidate=preset.template_version.is_candidate and not is_own)
    return own


def _set_stage(tx: Transaction, preset_id: str, *, is_active: bool = False, is_candidate: bool) -> None:
    tx.set_stage(preset_id, is_active=is_active, is_candidate=is_candidate)
    tx.publish_on_commit(make_change_message(preset_id))


def list_of_version(presets: Iterable[Preset], version_id: str) -> Sequence[str]:
    """The ids of those of the presets that have this version."""
    return tuple(preset.id for preset in presets if preset.template_version.id == version_id)
