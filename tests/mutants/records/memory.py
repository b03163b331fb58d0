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
        "    return preset.is_wanted and preset.template_version.id == request.template_version_id\n",
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
        "        if preset is None or preset.is_wanted:\n            return ()\n",
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
    Mutant(
        "rows: a reader may write",
        "runtime/row_transactions/role.py",
        "        if self._is_read_only:\n            raise ReadOnlyTransactionError\n",
        "",
    ),
    Mutant(
        "rows: a prebuild can be added twice",
        "runtime/batch_rules.py",
        "is_new = request.workspace_id not in taken and request.build_id not in begun",
        "is_new = request.build_id not in begun",
    ),
    Mutant(
        "rows: a request id claims twice",
        "runtime/row_transactions/claims.py",
        "if request.request_id is not None and self._written.find_claim(request.request_id):",
        "if request.request_id is not None and self._written.find_claim(request.name):",
    ),
    Mutant(
        "nobody is told that there is no lease",
        "runtime/loop/leasing.py",
        "        if not Capability.LEASE.is_in(tx):\n",
        "        if Capability.LEASE.is_in(tx) is None:\n",
        tests=("adapters/test_capabilities.py::test_the_loop_runs_without_a_lease_and_warns_once",),
    ),
    Mutant(
        "metrics show 0 for what is not counted",
        "runtime/metrics/readings.py",
        " if Capability.COUNTERS.is_in(tx) else {}",
        " if tx else {}",
        tests=("adapters/test_capabilities.py::test_without_counters_metrics_have_none",),
    ),
    Mutant(
        "a pause that a store cannot keep is ignored",
        "runtime/row_transactions/lacking.py",
        "        if paused:\n            self._refuse(",
        "        if paused is None:\n            self._refuse(",
        tests=("adapters/test_capabilities.py::test_a_pause_that_would_do_nothing_is_refused",),
    ),
    Mutant(
        "the loop joins organisations for ever where no row keeps it",
        "runtime/row_transactions/reads.py",
        "        return rows if Capability.MEMBERSHIPS in self.capabilities else _join_all(rows)\n",
        "        return rows\n",
        tests=("adapters/test_capabilities.py::test_without_memberships_the_loop_joins_no_organization",),
    ),
    Mutant(
        "half a capability is none",
        "runtime/ports/capabilities.py",
        "    if 0 < len(missing) < len(capability.methods):\n",
        "    if len(missing) < 0:\n",
        tests=("adapters/test_capabilities.py::test_half_a_capability_is_refused",),
    ),
)
