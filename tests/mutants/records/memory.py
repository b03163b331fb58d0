"""Bugs of the store in memory."""

from __future__ import annotations

from mutants.records.mutant import Mutant

MEMORY = (
    Mutant(
        "memory: a delete does not compare the owner",
        "adapters/memory/workspaces.py",
        "if workspace is None or workspace.deleted or not workspace.is_prebuild:\n            return False\n"
        "        if not workspace.last_build.status.is_final",
        "if workspace is None or workspace.deleted:\n            return False\n"
        "        if not workspace.last_build.status.is_final",
    ),
    Mutant(
        "memory: a create is not pinned",
        "adapters/memory/workspaces.py",
        "if preset is None or not preset.is_active or preset.template_version.id != request.template_version_id:",
        "if preset is None:",
    ),
    Mutant(
        "memory: claims are in no order",
        "adapters/memory/workspaces.py",
        "choose = min if request.order is ClaimOrder.OLDEST_FIRST else max",
        "choose = max",
    ),
    Mutant(
        "memory: canceling takes an active preset's jobs",
        "adapters/memory/workspaces.py",
        "        if preset is None or preset.is_active:\n            return ()\n",
        "        if preset is None:\n            return ()\n",
    ),
    Mutant(
        "memory: the lease is without a token",
        "adapters/memory/store.py",
        "    if lease and tables.tokens.get(lease.name) != lease.token:\n",
        "    if lease and not lease.token:\n",
    ),
    Mutant(
        "memory: tokens do not grow",
        "adapters/memory/settings.py",
        "current.token if current and is_own else tables.tokens.get(name, 0) + 1",
        "current.token if current and is_own else 1",
    ),
    Mutant(
        "memory: a nested part is not rolled back",
        "adapters/memory/transactions.py",
        "        except BaseException:\n            self.tables = before\n            raise\n",
        "        except BaseException:\n            raise\n",
    ),
    Mutant(
        "find_lease finds none",
        "adapters/memory/reads.py",
        "return self.tables.leases.get(name)",
        "return None",
    ),
)
