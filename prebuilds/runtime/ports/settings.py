"""Writing what people set, what the prebuilds user belongs to, and counters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from prebuilds.decision.models import PrebuildStatus, Preset
from prebuilds.decision.policies.budgets import Budget, BudgetScope
from prebuilds.runtime.models import Counter, CounterValue


class SettingsWrites(Protocol):
    """What people set, and what the reconciler tells them. Presets that do not exist are ignored."""

    def set_prebuild_status(self, preset_id: str, status: PrebuildStatus) -> None:
        """Set the status that people see of a preset's prebuilds."""
        ...

    def set_reset(self, preset_id: str, *, at: datetime) -> None:
        """Note that a preset's failures up to this instant no longer count towards its hard limit."""
        ...

    def set_invalidated(self, preset_id: str, *, at: datetime) -> None:
        """Note that all prebuilds created before this instant have expired."""
        ...

    def set_stage(self, preset_id: str, *, is_active: bool, is_candidate: bool) -> None:
        """Note that the preset's template version is now active, a candidate (R17), or neither; it is never both."""
        ...

    def put_preset(self, preset: Preset) -> None:
        """Add a preset, or replace the one with its id. A host that has presets elsewhere needs it only for tests."""
        ...


@runtime_checkable
class PauseWrites(Protocol):
    """A pause of the whole, a capability. `FleetRows.is_paused` belongs to it."""

    def set_paused(self, *, paused: bool) -> None:
        """Pause or resume reconciliation."""
        ...


@runtime_checkable
class BudgetWrites(Protocol):
    """Budgets that people change while the loop runs, a capability. `FleetRows.budgets` belongs to it."""

    def put_budget(self, budget: Budget) -> None:
        """Add a budget, or replace the one with its scope and key."""
        ...

    def remove_budget(self, scope: BudgetScope, key: str = "") -> bool:
        """Remove the budget with this scope and key. Returns whether there was one."""
        ...


@runtime_checkable
class MembershipWrites(Protocol):
    """What the prebuilds user belongs to, a capability. `FleetRows.memberships` belongs to it."""

    def add_membership(self, organization_id: str) -> None:
        """Make the prebuilds user a member of an organisation, if it is not one yet."""
        ...


@runtime_checkable
class CounterWrites(Protocol):
    """Counters for metrics, written in the same transaction as what they count."""

    def count(self, preset_id: str, counter: Counter, amount: int = 1) -> None:
        """Add this many."""
        ...

    def list_counters(self) -> Sequence[CounterValue]:
        """Every counter that is not 0, in any order."""
        ...
