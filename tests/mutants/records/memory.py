"""Bugs of the guards that every store over rows has, and of the store in memory."""

from __future__ import annotations

from mutants.records.mutant import Mutant

MEMORY = (
    Mutant(
        "rows: a delete does not compare the owner",
        "runtime/workspace_rules.py",
        "    if not workspace.is_prebuild or workspace.deleted or not workspace.last_build.status.is_final:\n",
        "    if workspace.deleted or not workspace.last_build.status.is_final:\n",
        ("testing/test_contracts.py",),
    ),
    Mutant(
        "rows: a create is not pinned",
        "runtime/workspace_rules.py",
        "    return preset.is_active and preset.template_version.id == request.template_version_id\n",
        "    return bool(preset and request)\n",
        ("testing/test_contracts.py",),
    ),
    Mutant(
        "rows: claims are in no order",
        "runtime/workspace_rules.py",
        "    choose = min if request.order is ClaimOrder.OLDEST_FIRST else max\n",
        "    choose = max\n",
        ("testing/test_contracts.py",),
    ),
    Mutant(
        "rows: canceling takes an active preset's jobs",
        "runtime/row_transactions/workspaces.py",
        "        if preset is None or preset.is_active:\n            return ()\n",
        "        if preset is None:\n            return ()\n",
        ("testing/test_contracts.py",),
    ),
    Mutant(
        "memory: the lease has no token",
        "adapters/memory/store.py",
        "    if lease and tables.tokens.get(lease.name) != lease.token:\n",
        "    if lease and not lease.token:\n",
    ),
    Mutant(
        "memory: tokens do not grow",
        "adapters/memory/capabilities.py",
        "current.token if current and is_own else tables.tokens.get(name, 0) + 1",
        "current.token if current and is_own else 1",
    ),
    Mutant(
        "memory: a nested part is not rolled back",
        "adapters/memory/capabilities.py",
        "        except BaseException:\n            self.tables = before\n            raise\n",
        "        except BaseException:\n            raise\n",
    ),
    Mutant(
        "find_lease finds none",
        "adapters/memory/capabilities.py",
        "return self.tables.leases.get(name)",
        "return None",
    ),
)
