"""Bugs of what becomes of a workspace: builds, claims, releases, and what people tell the loop."""

from __future__ import annotations

from mutants.records.mutant import Mutant

WORKSPACES = (
    Mutant(
        "a delete runs with the version that its preset has",
        "runtime/workspace_rules.py",
        "    return last_build.template_version_id\n",
        '    return "v3" if last_build.template_version_id == "v1" else last_build.template_version_id\n',
    ),
    Mutant(
        "failures are counted for deletes too",
        "runtime/build_reports.py",
        "if workspace and status is BuildStatus.FAILED and workspace.last_build.transition is Transition.START:",
        "if workspace and status is BuildStatus.FAILED:",
    ),
    Mutant(
        "a start that was lost keeps its place",
        "runtime/build_reports.py",
        "    if workspace.last_build.transition is Transition.START and not workspace.last_build.status.is_final:\n",
        "    if False:\n",
        tests=("runtime/test_field_cases.py",),
    ),
    Mutant(
        "an unready prebuild can be claimed",
        "runtime/workspace_rules.py",
        "workspace.is_prebuild and workspace.is_running and workspace.ready and",
        "workspace.is_prebuild and workspace.is_running and",
    ),
    Mutant(
        "a prebuild of an inactive preset can be claimed",
        "runtime/workspace_rules.py",
        "return is_there and is_fresh and preset.is_active and not",
        "return is_there and is_fresh and not",
    ),
    Mutant(
        "a claim gives a prebuild that its preset no longer describes",
        "runtime/workspace_rules.py",
        " and not is_outdated(workspace, preset)",
        "",
    ),
    Mutant(
        "a prebuild reported as unready stays ready",
        "runtime/workspace_rules.py",
        "    return attrs.evolve(workspace, ready=False) if is_known else None\n",
        "    return workspace if is_known else None\n",
    ),
    Mutant(
        "expired prebuilds can be claimed",
        "runtime/claims.py",
        "tx.take_prebuild(attrs.evolve(request, created_since=cutoff))",
        "tx.take_prebuild(request)",
    ),
    Mutant(
        "a claim made again takes another",
        "runtime/claims.py",
        "claim = _find_repeated(tx, request) or _take(tx, request)",
        "claim = _take(tx, attrs.evolve(request, request_id=None))",
    ),
    Mutant(
        "a preset without parameters matches everything",
        "runtime/claims.py",
        "if preset.parameters and given.issuperset(preset.parameters)",
        "if given.issuperset(preset.parameters)",
    ),
    Mutant(
        "ties of presets go by their order",
        "runtime/claims.py",
        "key=lambda preset: (-len(preset.parameters), preset.id)",
        "key=lambda preset: -len(preset.parameters)",
    ),
    Mutant(
        "a retry gets a workspace that was released",
        "runtime/claims.py",
        "    if workspace.deleted or workspace.owner_id != request.owner_id:\n",
        "    if False:\n",
        tests=("runtime/test_field_cases.py",),
    ),
    Mutant(
        "a match looks over all organisations",
        "runtime/claims.py",
        "        if template_id is None and organization_id is None:\n",
        "        if False:\n",
        tests=("runtime/test_claims.py",),
    ),
    Mutant(
        "a reset of one template frees all",
        "runtime/controls.py",
        "for preset in tx.list_presets() if is_of(preset, template_id=template_id)]",
        "for preset in tx.list_presets()]",
        tests=("runtime/test_field_cases.py",),
    ),
    Mutant(
        "an invalidation goes by its date alone",
        "runtime/controls.py",
        "        tx.retire_prebuild(workspace.id)\n",
        "        pass\n",
        tests=("runtime/test_clocks_apart.py",),
    ),
    Mutant(
        "an invalidation is dated by a clock that is ahead",
        "runtime/controls.py",
        "    if latest < now:\n",
        "    if latest > now:\n",
        tests=("runtime/test_clocks_apart.py",),
    ),
    Mutant(
        "a reset by a clock that is ahead forgives what is yet to fail",
        "runtime/controls.py",
        "            tx.set_reset(preset.id, at=max(begun))\n",
        "            tx.set_reset(preset.id, at=max(*begun, now))\n",
        tests=("runtime/test_clocks_apart.py",),
    ),
    Mutant(
        "a retired prebuild counts as running",
        "runtime/models.py",
        "return self.has_started and not self.retired",
        "return self.has_started",
    ),
    Mutant(
        "a message may hold what PostgreSQL cannot",
        "runtime/models.py",
        '_UNSTORABLE = re.compile("[\\0\\ud800-\\udfff]")',
        '_UNSTORABLE = re.compile("[\\ud800-\\udfff]")',
        tests=("runtime/test_publishing.py",),
    ),
)
