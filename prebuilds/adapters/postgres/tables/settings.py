"""Settings, counters, and the leases that say who may reconcile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from psycopg.types.json import Jsonb

from prebuilds.adapters.postgres.connections.statements import Role, Statements
from prebuilds.adapters.rows import BUDGET_COLUMNS, PRESET_COLUMNS, flatten_budget, flatten_preset
from prebuilds.decision.models import PrebuildStatus, Preset
from prebuilds.decision.policies.budgets import Budget, BudgetScope
from prebuilds.runtime.models import Counter, CounterValue, Lease

_SET = """
    INSERT INTO settings VALUES (%(name)s, %(value)s) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
_PUT_PRESET = f"""
    INSERT INTO presets ({", ".join(PRESET_COLUMNS)}) VALUES ({", ".join(f"%({name})s" for name in PRESET_COLUMNS)})
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in PRESET_COLUMNS)}
"""
_PUT_BUDGET = f"""
    INSERT INTO budgets ({", ".join(BUDGET_COLUMNS)}) VALUES ({", ".join(f"%({name})s" for name in BUDGET_COLUMNS)})
    ON CONFLICT (scope, key) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in BUDGET_COLUMNS[2:])}
"""
_REMOVE_BUDGET = "DELETE FROM budgets WHERE scope = %(scope)s AND key = %(key)s RETURNING key"
_SET_STAGE = """
    UPDATE presets SET template_version_active = %(is_active)s, template_version_candidate = %(is_candidate)s
    WHERE id = %(id)s
"""
_COUNT = """
    INSERT INTO counters (preset_id, counter, slot, value)
    VALUES (%(preset_id)s, %(counter)s, pg_backend_pid() %% 64, %(amount)s::bigint)
    ON CONFLICT (preset_id, counter, slot) DO UPDATE SET value = counters.value + excluded.value
"""
_LIST_COUNTERS = "SELECT preset_id, counter, sum(value)::bigint FROM counters GROUP BY preset_id, counter"
_TAKE_LEASE = """
    INSERT INTO leases (name, holder, token, expires_at) VALUES (%(name)s, %(holder)s, 1, %(expires_at)s)
    ON CONFLICT (name) DO UPDATE SET
        token = leases.token + (leases.holder IS DISTINCT FROM excluded.holder)::integer,
        holder = excluded.holder, expires_at = excluded.expires_at
    WHERE leases.holder IS NULL OR leases.holder = excluded.holder OR leases.expires_at <= %(now)s
    RETURNING token
"""
_JSON = ("schedules", "parameters", "options")


class SettingsRows(Role):
    """The role `SettingsWrites`."""

    def set_paused(self, *, paused: bool) -> None:
        self._statements.write(_SET, name="paused", value=paused)

    def set_prebuild_status(self, preset_id: str, status: PrebuildStatus) -> None:
        sql = "UPDATE presets SET prebuild_status = %(status)s WHERE id = %(id)s"
        self._statements.write_next(sql, id=preset_id, status=status.value)

    def set_reset(self, preset_id: str, *, at: datetime) -> None:
        self._statements.write("UPDATE presets SET reset_at = %(at)s WHERE id = %(id)s", id=preset_id, at=at)

    def set_invalidated(self, preset_id: str, *, at: datetime) -> None:
        self._statements.write("UPDATE presets SET last_invalidated_at = %(at)s WHERE id = %(id)s", id=preset_id, at=at)

    def put_budget(self, budget: Budget) -> None:
        self._statements.write(_PUT_BUDGET, **dict(zip(BUDGET_COLUMNS, flatten_budget(budget), strict=True)))

    def remove_budget(self, scope: BudgetScope, key: str = "") -> bool:
        return bool(self._statements.write(_REMOVE_BUDGET, scope=scope.value, key=key))

    def set_stage(self, preset_id: str, *, is_active: bool, is_candidate: bool) -> None:
        self._statements.write(_SET_STAGE, id=preset_id, is_active=is_active, is_candidate=is_candidate)

    def add_membership(self, organization_id: str) -> None:
        sql = "INSERT INTO memberships VALUES (%(id)s) ON CONFLICT DO NOTHING"
        self._statements.write_next(sql, id=organization_id)

    def put_preset(self, preset: Preset) -> None:
        values = dict(zip(PRESET_COLUMNS, flatten_preset(preset), strict=True))
        self._statements.write(_PUT_PRESET, **values | {name: Jsonb(values[name]) for name in _JSON})


class CounterRows(Role):
    """The role `CounterWrites`."""

    def count(self, preset_id: str, counter: Counter, amount: int = 1) -> None:
        self._statements.write_late(_COUNT, preset_id=preset_id, counter=counter.value, amount=amount)

    def list_counters(self) -> Sequence[CounterValue]:
        self._statements.catch_up()
        rows = self._statements.fetch(_LIST_COUNTERS)
        return tuple(CounterValue(preset_id=name, counter=Counter(what), value=value) for name, what, value in rows)


class LeaseRows(Role):
    """The role `LeaseWrites`."""

    def take_lease(self, name: str, holder: str, *, now: datetime, expires_at: datetime) -> Lease | None:
        rows = self._statements.write_text(_TAKE_LEASE, name=name, holder=holder, now=now, expires_at=expires_at)
        return Lease(name=name, holder=holder, token=rows[0][0], expires_at=expires_at) if rows else None

    def find_lease(self, name: str) -> Lease | None:
        sql = "SELECT holder, token, expires_at FROM leases WHERE name = %(name)s AND holder IS NOT NULL"
        row = self._statements.fetch_one(sql, name=name)
        if row is None:
            return None
        holder, token, expires_at = row
        return Lease(name=name, holder=holder, token=token, expires_at=expires_at)

    def release_lease(self, lease: Lease) -> None:
        sql = "UPDATE leases SET holder = NULL WHERE name = %(name)s AND token = %(token)s"
        self._statements.write(sql, name=lease.name, token=lease.token)


def read_time(statements: Statements) -> datetime:
    """The time by the server's clock."""
    ((now,),) = statements.fetch("SELECT clock_timestamp()")
    return cast(datetime, now)
