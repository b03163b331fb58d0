"""Bugs of candidate versions and their promotion."""

from __future__ import annotations

from mutants.records.mutant import Mutant

CANDIDATES = (
    Mutant(
        "a candidate is not filled",
        "decision/models.py",
        '"is_wanted", (version.is_active or version.is_candidate) and not is_gone)',
        '"is_wanted", version.is_active and not is_gone)',
        tests=("decision/test_candidates.py",),
    ),
    Mutant(
        "a candidate of a deleted template is filled",
        "decision/models.py",
        "(version.is_active or version.is_candidate) and not is_gone)",
        "version.is_candidate or (version.is_active and not is_gone))",
        tests=("decision/test_candidates.py",),
    ),
    Mutant(
        "an active version is a candidate",
        "decision/models.py",
        "if self.is_candidate and self.is_active:",
        "if False:",
        tests=("decision/test_candidates.py",),
    ),
    Mutant(
        "a version is filled when one preset is",
        "decision/plans/planning.py",
        "return all(decision.is_filled for decision in own)",
        "return any(decision.is_filled for decision in own)",
        tests=("decision/test_candidates.py",),
    ),
    Mutant(
        "a pool is full with what is not ready",
        "decision/state.py",
        "return snapshot.preset.is_wanted and count_eligible(snapshot.running) >=",
        "return snapshot.preset.is_wanted and len(snapshot.running) >=",
        tests=("decision/test_candidates.py",),
    ),
    Mutant(
        "an inactive pool is full",
        "decision/state.py",
        "return snapshot.preset.is_wanted and count_eligible(snapshot.running) >=",
        "return count_eligible(snapshot.running) >=",
        tests=("decision/test_candidates.py",),
    ),
    Mutant(
        "a promotion ends other candidates",
        "runtime/promotions.py",
        "is_candidate=preset.template_version.is_candidate and not is_own)",
        "is_candidate=False)",
        tests=("runtime/test_candidates.py",),
    ),
    Mutant(
        "a promotion leaves the old version active",
        "runtime/promotions.py",
        "_set_stage(tx, preset.id, is_active=is_own,",
        "_set_stage(tx, preset.id, is_active=is_own or preset.template_version.is_active,",
        tests=("runtime/test_candidates.py",),
    ),
    Mutant(
        "an active version is staged",
        "runtime/promotions.py",
        "raise ActiveVersionError(version_id)",
        "pass",
        tests=("runtime/test_candidates.py",),
    ),
    Mutant(
        "presets without a template are one template",
        "runtime/promotions.py",
        'if len(templates) > 1 or "" in templates:',
        "if len(templates) > 1:",
        tests=("runtime/test_candidates.py",),
    ),
    Mutant(
        "a candidate matches",
        "runtime/claims.py",
        "for preset in tx.list_presets() if preset.is_active]",
        "for preset in tx.list_presets() if preset.is_wanted]",
        tests=("runtime/test_candidates.py",),
    ),
    Mutant(
        "two promotions at once both succeed",
        "runtime/controls.py",
        "change, isolation=Isolation.REPEATABLE_READ)",
        "change)",
        tests=("adapters/test_postgres.py",),
    ),
    Mutant(
        "a promotion forgets who waits",
        "whatif/simulation/pool.py",
        "            self._serve_waiting(at)\n",
        "",
        tests=("whatif/test_simulation.py",),
    ),
    Mutant(
        "a candidate is eligible before its promotion",
        "whatif/simulation/lifetimes.py",
        "return max(ended, self._since[preset_index]) if preset_index else ended",
        "return ended",
        tests=("whatif/test_simulation.py",),
    ),
)
