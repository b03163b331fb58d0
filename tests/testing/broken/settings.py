"""Methods for presets, leases and messages that break one rule each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import attrs

from prebuilds.adapters.memory.transactions import MemoryTransaction
from prebuilds.decision.models import PrebuildStatus, Preset
from prebuilds.decision.policies.budgets import Budget, BudgetScope
from prebuilds.runtime.fleet_rows import FleetRows, select
from prebuilds.runtime.models import Lease, Message


# Methods of transactions, each of which breaks a rule
@contextmanager
def keep_messages(tx: MemoryTransaction) -> Iterator[None]:
    """Rolls a nested part back, but for its messages."""
    messages: dict[int, Message] = {}
    try:
        with tx.nested():
            try:
                yield
            finally:
                messages = tx.rows.tables.outbox
    except BaseException:
        tables = tx.rows.own("outbox", "sequences")
        tables.outbox.update(messages)
        tables.sequences["outbox"] = len(messages)
        raise


def take_lease_with_one_token(tx: MemoryTransaction, name: str, holder: str, **options: Any) -> Lease | None:
    """Gives everybody the same token."""
    lease = tx.take_lease(name, holder, **options)
    tables = tx.rows.own("tokens", "leases")
    if lease:
        tables.tokens[name] = 1
        tables.leases[name] = attrs.evolve(lease, token=1)
    return lease and attrs.evolve(lease, token=1)


def take_lease_with_new_tokens(tx: MemoryTransaction, name: str, holder: str, **options: Any) -> Lease | None:
    """Gives a holder that has the lease another token."""
    current = tx.rows.tables.leases.get(name)
    if current and current.holder == holder:
        tx.release_lease(current)
    return tx.take_lease(name, holder, **options)


def release_any_lease(tx: MemoryTransaction, lease: Lease) -> None:
    """Releases a lease that another has."""
    tx.rows.own("leases").leases.pop(lease.name, None)


def release_and_forget(tx: MemoryTransaction, lease: Lease) -> None:
    """Releases a lease and forgets its token."""
    tx.release_lease(lease)
    tx.rows.own("tokens").tokens.pop(lease.name, None)


def find_lease_of_any_name(tx: MemoryTransaction, _: str) -> Lease | None:
    """Finds a lease of any name."""
    return next(iter(tx.rows.tables.leases.values()), None)


def take_held_lease(tx: MemoryTransaction, name: str, holder: str, **options: Any) -> Lease | None:
    """Takes a lease that another holds."""
    current = tx.rows.tables.leases.get(name)
    if current and current.holder != holder:
        tx.release_lease(current)
    return tx.take_lease(name, holder, **options)


def list_healthy_first(tx: MemoryTransaction, preset_id: str | None = None) -> list[Any]:
    """Lists presets that are in order first."""
    return sorted(tx.list_presets(preset_id), key=lambda preset: preset.prebuild_status is PrebuildStatus.HARD_LIMITED)


def list_active(tx: MemoryTransaction, preset_id: str | None = None) -> list[Any]:
    """Lists active presets alone."""
    return [preset for preset in tx.list_presets(preset_id) if preset.is_active]


def read_memberships_twice(tx: MemoryTransaction, *arguments: Any, **options: Any) -> FleetRows:
    """Reads each membership twice."""
    rows = tx.read_rows(*arguments, **options)
    return attrs.evolve(rows, memberships=2 * rows.memberships)


def put_first_budget(tx: MemoryTransaction, budget: Budget) -> None:
    """Keeps the first budget with a scope and a key."""
    if budget.name not in tx.rows.tables.budgets:
        tx.put_budget(budget)


def put_budget_of_scope(tx: MemoryTransaction, budget: Budget) -> None:
    """Keeps one budget of a scope."""
    for other in tx.read_rows().budgets:
        if other.scope is budget.scope:
            tx.remove_budget(other.scope, other.key)
    tx.put_budget(budget)


def put_budget_without_rate(tx: MemoryTransaction, budget: Budget) -> None:
    """Forgets the limit on creates per minute where there is another."""
    others = (budget.max_starting, budget.max_creates_per_pass, budget.max_instances)
    tx.put_budget(attrs.evolve(budget, max_creates_per_minute=None) if any(others) else budget)


def remove_budgets_of_key(tx: MemoryTransaction, scope: BudgetScope, key: str = "") -> bool:
    """Removes the budgets of other scopes with the key too."""
    has_removed = tx.remove_budget(scope, key)
    for other in BudgetScope:
        tx.remove_budget(other, key)
    return has_removed


def put_without_parameters(tx: MemoryTransaction, preset: Preset) -> None:
    """Adds the parameters of a preset to those that it had."""
    known = {name: value for old in tx.list_presets(preset.id) for name, value in old.parameters}
    tx.put_preset(attrs.evolve(preset, parameters=known | dict(preset.parameters)))


def put_without_organization(tx: MemoryTransaction, preset: Preset) -> None:
    """Forgets the name of the organisation."""
    template = attrs.evolve(preset.template_version.template, organization_name="")
    tx.put_preset(attrs.evolve(preset, template_version=attrs.evolve(preset.template_version, template=template)))


def put_new(tx: MemoryTransaction, preset: Preset) -> None:
    """Moves a preset that is replaced to the end."""
    tx.rows.own("presets").presets.pop(preset.id, None)
    tx.put_preset(preset)


def invalidate_all(tx: MemoryTransaction, preset_id: str, *, at: datetime) -> None:
    """Invalidates every preset."""
    del preset_id
    for preset in tx.list_presets():
        tx.set_invalidated(preset.id, at=at)


def stage_all(tx: MemoryTransaction, preset_id: str, **stage: bool) -> None:
    """Notes the stage of every preset."""
    del preset_id
    for preset in tx.list_presets():
        tx.set_stage(preset.id, **stage)


def reset_once(tx: MemoryTransaction, preset_id: str, *, at: datetime) -> None:
    """Keeps the first reset."""
    if not tx.read_rows(select(preset_id)).resets:
        tx.set_reset(preset_id, at=at)


def reset_any(tx: MemoryTransaction, preset_id: str, *, at: datetime) -> None:
    """Notes resets of presets that are not there."""
    tx.rows.own("resets").resets[preset_id] = at


def delete_those_there(tx: MemoryTransaction, ids: Sequence[int]) -> None:
    """Cannot delete messages that are not there."""
    for number in ids:
        del tx.rows.own("outbox").outbox[number]


def trim_and_publish(tx: MemoryTransaction, message: Message) -> None:
    """Trims what messages say."""
    tx.publish_on_commit(attrs.evolve(message, body=message.body.strip()))
