"""Bugs of the decision: what is created and deleted, what has expired, what is withheld."""

from __future__ import annotations

from mutants.records.mutant import Mutant

ACTIONS = (
    Mutant(
        "expired prebuilds of an inactive preset are kept",
        "decision/actions.py",
        "sorted((*snapshot.expired, *snapshot.stuck, *snapshot.running), key=rank_by_age)",
        "snapshot.running",
    ),
    Mutant(
        "a backoff holds an inactive preset's clean-up",
        "decision/actions.py",
        "    if not snapshot.preset.is_wanted:\n        return (*cancel",
        "    if not snapshot.preset.is_wanted and not back_off(snapshot, policy):\n        return (*cancel",
    ),
    Mutant(
        "a backoff ends an instant early",
        "decision/policies/waiting.py",
        "return until if snapshot.now <= until else None",
        "return until if snapshot.now < until else None",
    ),
    Mutant(
        "a backoff does not grow",
        "decision/policies/waiting.py",
        "return failures * policy.backoff_interval",
        "return policy.backoff_interval",
    ),
    Mutant(
        "no backoff at all",
        "decision/actions.py",
        "    return backoff or (\n",
        "    return (\n",
    ),
    Mutant(
        "the newest are deleted",
        "decision/lifetimes/victims.py",
        "        return ranked[: surplus.beyond]",
        "        return ranked[len(ranked) - surplus.beyond :]",
    ),
    Mutant(
        "one too many is deleted",
        "decision/lifetimes/victims.py",
        "Surplus(0, max(running - most, 0))",
        "Surplus(0, max(running - most + 1, 0))",
    ),
    Mutant(
        "starting builds are not counted",
        "decision/state.py",
        "    return max(_count_needed_starts(snapshot) - count_starting(snapshot), 0)\n",
        "    return max(_count_needed_starts(snapshot), 0)\n",
    ),
    Mutant(
        "starting builds are counted twice",
        "decision/state.py",
        "    return max(_count_needed_starts(snapshot) - count_starting(snapshot), 0)\n",
        "    return max(_count_needed_starts(snapshot) - 2 * count_starting(snapshot), 0)\n",
    ),
    Mutant(
        "expired prebuilds count towards the target",
        "decision/state.py",
        "return snapshot.target.desired - len(snapshot.running) + surge",
        "return snapshot.target.desired - len(snapshot.running) - len(snapshot.expired) + surge",
    ),
    Mutant(
        "in-progress counts of every transition are starts",
        "decision/state.py",
        "row.count for row in rows if row.transition is transition",
        "row.count for row in rows",
    ),
    Mutant(
        "in-progress counts of another preset leak in",
        "decision/snapshots.py",
        "self.in_progress.get(preset.id, ())",
        "next(reversed(self.in_progress.values()), ())",
    ),
    Mutant(
        "orphans are dropped in silence",
        "decision/snapshots.py",
        '                *_find_orphans("running", running, presets),\n',
        "",
    ),
    Mutant(
        "the snapshot is sorted in place",
        "decision/fields.py",
        "        return value\n    return tuple(value)\n",
        "        return value\n"
        '    if isinstance(value, list) and all(hasattr(row, "created_at") for row in value):\n'
        "        value.sort(key=lambda row: row.created_at)\n"
        "    return tuple(value)\n",
    ),
    Mutant(
        "prebuilds of one age are in the order of their rows",
        "decision/presets.py",
        'rank_by_age = attrgetter("created_at", "id")',
        'rank_by_age = attrgetter("created_at")',
    ),
    Mutant(
        "the wall clock is used for the ttl",
        "decision/presets.py",
        "    outlived = now - preset.ttl\n",
        "    outlived = datetime.now(UTC) - preset.ttl\n",
    ),
    Mutant(
        "exactly at the ttl is expired",
        "decision/presets.py",
        "bisect_left(prebuilds, cutoff, key=_created_at)",
        "sum(prebuild.created_at <= cutoff for prebuild in prebuilds)",
    ),
    Mutant(
        "an invalidation is forgotten where there is a ttl",
        "decision/presets.py",
        "return outlived if invalidated is None else max(invalidated, outlived)",
        "return outlived",
    ),
    Mutant(
        "a prebuild of another version is good",
        "decision/presets.py",
        "if template_version_id != wanted and template_version_id and wanted:",
        "if False:",
        tests=("decision/test_snapshots.py",),
    ),
    Mutant(
        "a retired prebuild is good",
        "decision/presets.py",
        "return prebuild.retired or is_made_otherwise(",
        "return is_made_otherwise(",
        tests=("decision/test_snapshots.py",),
    ),
    Mutant(
        "a prebuild with other parameters is good",
        "decision/presets.py",
        "return parameters is not None and parameters != preset.parameters",
        "return False",
        tests=("decision/test_snapshots.py",),
    ),
    Mutant(
        "an invalidation in the future expires everything now",
        "decision/presets.py",
        "if invalidated is not None and invalidated > now:",
        "if False:",
        tests=("decision/test_snapshots.py",),
    ),
    Mutant(
        "a hard-limited preset creates all the same",
        "decision/plans/decisions.py",
        "    if snapshot.is_hard_limited:\n",
        "    if False:\n",
    ),
    Mutant(
        "a pause withholds creates alone",
        "decision/plans/decisions.py",
        "        return (), tuple([Withheld(",
        "        return tuple(a for a in actions if a.delete_ids), tuple([Withheld(",
    ),
    Mutant(
        "a mistyped count is tried in full",
        "decision/plans/decisions.py",
        "return policy.max_creates, WithheldReason.MAX_CREATES",
        "return 2**31, WithheldReason.MAX_CREATES",
        tests=("decision/test_planning.py",),
    ),
    Mutant(
        "nobody wakes for an invalidation",
        "decision/next_change.py",
        "        _find_invalidation(snapshot),\n",
        "",
        tests=("decision/test_changes.py",),
    ),
)
