"""Controls: what people tell the loop, from any process. Each is one transaction and wakes the reconciler."""

from __future__ import annotations

from collections.abc import Callable

from prebuilds.decision.models import PrebuildStatus
from prebuilds.errors import UnknownPresetError
from prebuilds.runtime.building import PREBUILDS_CHANGED
from prebuilds.runtime.models import Message
from prebuilds.runtime.ports import Clock, Store, Transaction
from prebuilds.runtime.publishing import Relay, flush_quietly


class Controls:
    """Pauses and resumes reconciliation, and resets and invalidates presets. With a `relay` it is told at once."""

    def __init__(self, store: Store, *, clock: Clock, relay: Relay | None = None) -> None:
        self._store = store
        self._clock = clock
        self._relay = relay

    def pause(self) -> None:
        """Do nothing more until `resume`: no reconciler creates or deletes anything. Claims are served."""
        self._change("", lambda tx: tx.set_paused(paused=True))

    def resume(self) -> None:
        """Work again."""
        self._change("", lambda tx: tx.set_paused(paused=False))

    def invalidate(self, preset_id: str) -> None:
        """Let every prebuild of the preset that is there now expire, so that it is replaced.

        Raises `UnknownPresetError`.
        """
        self._change(preset_id, lambda tx: tx.set_invalidated(preset_id, at=self._clock.now()))

    def reset(self, preset_id: str) -> None:
        """Forget the failures of a hard-limited preset, so that it may create again. Raises `UnknownPresetError`."""

        def reset(tx: Transaction) -> None:
            tx.set_reset(preset_id, at=self._clock.now())
            tx.set_prebuild_status(preset_id, PrebuildStatus.HEALTHY)

        self._change(preset_id, reset)

    def _change(self, preset_id: str, change: Callable[[Transaction], None]) -> None:
        with self._store.transaction() as tx:
            if preset_id and not tx.list_presets(preset_id):
                raise UnknownPresetError(preset_id)
            change(tx)
            tx.publish_on_commit(Message(topic=PREBUILDS_CHANGED, body=preset_id))
        flush_quietly(self._relay)
