"""Settings, counters, and the leases that say who may reconcile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prebuilds.adapters.rows import BUDGET_COLUMNS, PRESET_COLUMNS, flatten_budget
from prebuilds.adapters.sqlite.connections.statements import Role, Statements
from prebuilds.adapters.sqlite.tables.rows import read_instant, write_instant, write_preset
from prebuilds.decision.models import PrebuildStatus, Preset
from prebuilds.decision.policies.budgets import Budget, BudgetScope
from prebuilds.errors import LeaseLostError
from prebuilds.runtime.fleet_rows import hash_preset
from prebuilds.runtime.models import Counter, CounterValue, Lease

# Not INSERT OR REPLACE, which would lose the reset.
_PUT_PRESET = f"""
    INSERT INTO presets ({", ".join(PRESET_COLUMNS)}, preset_hash) VALUES ({"?, " * len(PRESET_COLUMNS)}?)
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in PRESET_COLUMNS)}
"""
_PUT_BUDGET = f"INSERT OR REPLACE INTO budgets VALUES ({', '.join('?' * len(BUDGET_COLUMNS))})"
_REMOVE_BUDGET = "DELETE FROM budgets WHERE scope = ? AND key = ?"

_COUNT = """
    INSERT INTO counters VALUES (?, ?, ?)
    ON CONFLICT (preset_id, counter) DO UPDATE SET value = value + excluded.value
"""


class SettingsRows(Role):
    """The role `SettingsWrites`."""

    def set_paused(self, *, paused: bool) -> None:
        sql = "INSERT INTO settings VALUES ('paused', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        self._statements.run(sql, paused)

    def set_prebuild_status(self, preset_id: str, status: PrebuildStatus) -> None:
        self._statements.run("UPDATE presets SET prebuild_status = ? WHERE id = ?", status.value, preset_id)

    def set_reset(self, preset_id: str, *, at: datetime) -> None:
        self._statements.run("UPDATE presets SET reset_at = ? WHERE id = ?", write_instant("at", at), preset_id)

    def set_invalidated(self, preset_id: str, *, at: datetime) -> None:
        sql = "UPDATE presets SET last_invalidated_at = ? WHERE id = ?"
        self._statements.run(sql, write_instant("at", at), preset_id)

    def put_budget(self, budget: Budget) -> None:
        self._statements.run(_PUT_BUDGET, *flatten_budget(budget))

    def remove_budget(self, scope: BudgetScope, key: str = "") -> bool:
        return self._statements.run(_REMOVE_BUDGET, scope.value, key) > 0

    def set_stage(self, preset_id: str, *, is_active: bool, is_candidate: bool) -> None:
        sql = "UPDATE presets SET template_version_active = ?, template_version_candidate = ? WHERE id = ?"
        self._statements.run(sql, is_active, is_candidate, preset_id)

    def add_membership(self, organization_id: str) -> None:
        self._statements.run("INSERT INTO memberships VALUES (?) ON CONFLICT DO NOTHING", organization_id)

    def put_preset(self, preset: Preset) -> None:
        self._statements.run(_PUT_PRESET, *write_preset(preset), hash_preset(preset.id))


class CounterRows(Role):
    """The role `CounterWrites`."""

    def count(self, preset_id: str, counter: Counter, amount: int = 1) -> None:
        self._statements.run(_COUNT, preset_id, counter.value, amount)

    def list_counters(self) -> Sequence[CounterValue]:
        rows = self._statements.fetch("SELECT preset_id, counter, value FROM counters")
        return tuple(CounterValue(preset_id=name, counter=Counter(what), value=value) for name, what, value in rows)


class LeaseRows(Role):
    """The role `LeaseWrites`."""

    def take_lease(self, name: str, holder: str, *, now: datetime, expires_at: datetime) -> Lease | None:
        row = self._statements.fetch_one("SELECT holder, token, expires_at FROM leases WHERE name = ?", name)
        current, token, expires = row or (None, 0, 0)
        if current not in (None, holder) and expires > write_instant("now", now):
            return None
        lease = Lease(name=name, holder=holder, token=token if current == holder else token + 1, expires_at=expires_at)
        sql = """
            INSERT INTO leases (name, holder, token, expires_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (name) DO UPDATE
            SET holder = excluded.holder, token = excluded.token, expires_at = excluded.expires_at
        """
        self._statements.run(sql, name, holder, lease.token, write_instant("expires_at", expires_at))
        return lease

    def find_lease(self, name: str) -> Lease | None:
        sql = "SELECT holder, token, expires_at FROM leases WHERE name = ? AND holder IS NOT NULL"
        row = self._statements.fetch_one(sql, name)
        if row is None:
            return None
        holder, token, expires_at = row
        return Lease(name=name, holder=holder, token=token, expires_at=read_instant(expires_at))

    def release_lease(self, lease: Lease) -> None:
        sql = "UPDATE leases SET holder = NULL WHERE name = ? AND token = ?"
        self._statements.run(sql, lease.name, lease.token)


def check_lease(statements: Statements, lease: Lease) -> None:
    """Raises `LeaseLostError` unless the lease's token is the last one given out."""
    if not statements.has("SELECT 1 FROM leases WHERE name = ? AND token = ?", lease.name, lease.token):
        raise LeaseLostError(lease.name, lease.token)
