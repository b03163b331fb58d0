"""Acts: what people do while the loop works, each one transaction, to the first of a scenario's presets."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from prebuilds.decision.models import TemplateVersion
from prebuilds.runtime.controls import Controls
from prebuilds.runtime.ports import Clock, Store

Act = Callable[[Store, Clock], None]


def _pause(_preset_id: str, store: Store, clock: Clock) -> None:
    Controls(store, clock=clock).pause()


def _resume(_preset_id: str, store: Store, clock: Clock) -> None:
    Controls(store, clock=clock).resume()


def _invalidate(preset_id: str, store: Store, clock: Clock) -> None:
    Controls(store, clock=clock).invalidate(preset_id)


def _reset(preset_id: str, store: Store, clock: Clock) -> None:
    Controls(store, clock=clock).reset(preset_id)


def _promote(preset_id: str, store: Store, _clock: Clock) -> None:
    """Another version becomes the active one, with a preset of its own."""
    with store.transaction() as tx:
        for preset in tx.list_presets(preset_id):
            old = attrs.evolve(preset.template_version, is_active=False)
            new = TemplateVersion(id="v3", template=old.template)
            tx.put_preset(attrs.evolve(preset, template_version=old))
            tx.put_preset(attrs.evolve(preset, id=f"{preset.id}-v3", template_version=new))


def _deprecate(preset_id: str, store: Store, _clock: Clock) -> None:
    with store.transaction() as tx:
        for preset in tx.list_presets(preset_id):
            template = attrs.evolve(preset.template_version.template, deprecated=True)
            version = attrs.evolve(preset.template_version, template=template)
            tx.put_preset(attrs.evolve(preset, template_version=version))


ACTS: dict[str, Callable[[str, Store, Clock], None]] = {
    "pause": _pause,
    "resume": _resume,
    "invalidate": _invalidate,
    "reset": _reset,
    "promote": _promote,
    "deprecate": _deprecate,
}
"""By the name that a scenario has for them."""
