"""Writing settings, counters, leases and messages in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from prebuilds.adapters.memory.role import Role
from prebuilds.decision.models import PrebuildStatus, Preset
from prebuilds.runtime.models import Counter, Lease, Message


class Settings(Role):
    """All methods that write anything but workspaces."""

    def set_paused(self, *, paused: bool) -> None:
        self._own("settings").settings["paused"] = paused

    def set_prebuild_status(self, preset_id: str, status: PrebuildStatus) -> None:
        if preset_id in self.tables.presets:
            self.put_preset(attrs.evolve(self.tables.presets[preset_id], prebuild_status=status))

    def set_reset(self, preset_id: str, *, at: datetime) -> None:
        if preset_id in self.tables.presets:
            self._own("resets").resets[preset_id] = at

    def set_invalidated(self, preset_id: str, *, at: datetime) -> None:
        if preset_id in self.tables.presets:
            self.put_preset(attrs.evolve(self.tables.presets[preset_id], last_invalidated_at=at))

    def add_membership(self, organization_id: str) -> None:
        self._own("memberships").memberships[organization_id] = None

    def put_preset(self, preset: Preset) -> None:
        self._own("presets").presets[preset.id] = preset

    def count(self, preset_id: str, counter: Counter) -> None:
        counters = self._own("counters").counters
        counters[preset_id, counter] = counters.get((preset_id, counter), 0) + 1

    def take_lease(self, name: str, holder: str, *, now: datetime, expires_at: datetime) -> Lease | None:
        tables = self._own("leases", "tokens")
        current = tables.leases.get(name)
        is_own = current is not None and current.holder == holder
        if current and not is_own and current.expires_at > now:
            return None
        token = current.token if current and is_own else tables.tokens.get(name, 0) + 1
        lease = Lease(name=name, holder=holder, token=token, expires_at=expires_at)
        tables.leases[name], tables.tokens[name] = lease, token
        return lease

    def release_lease(self, lease: Lease) -> None:
        tables = self._own("leases")
        if tables.tokens.get(lease.name) == lease.token:
            tables.leases.pop(lease.name, None)

    def publish_on_commit(self, message: Message) -> None:
        tables = self._own("outbox", "sequences")
        number = tables.sequences.get("outbox", 0) + 1
        tables.sequences["outbox"] = number
        tables.outbox[number] = message

    def delete_messages(self, ids: Sequence[int]) -> None:
        outbox = self._own("outbox").outbox
        for number in ids:
            outbox.pop(number, None)
