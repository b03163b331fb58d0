"""Bugs of the history: backoffs and hard limits."""

from __future__ import annotations

from mutants.records.mutant import Mutant

HISTORY = (
    Mutant(
        "a backoff looks at the base count alone",
        "decision/history.py",
        "max(preset.desired_instances, calculate_target(preset, now=now).desired)",
        "preset.desired_instances",
    ),
    Mutant(
        "a backoff counts from when the build was created",
        "decision/history.py",
        "_Outcome(ended_at, build.id,",
        "_Outcome(build.created_at, build.id,",
    ),
    Mutant(
        "failures are never forgotten",
        "decision/history.py",
        "outcome.begun_at <= now and now - outcome.ended_at <= policy.backoff_lookback",
        "outcome.begun_at <= now",
    ),
    Mutant(
        "a replay looks into the future",
        "decision/history.py",
        "not _is_outcome(build) or (is_replay and ended_at > now):",
        "not _is_outcome(build):",
    ),
    Mutant(
        "a hard limit is never reset",
        "decision/history.py",
        "in presets}, since, now,",
        "in presets}, {}, now,",
    ),
    Mutant(
        "a success does not end a hard limit",
        "decision/history.py",
        "    latest = list(_judge_attempts(outcomes))[:limit]\n    return len(latest) == limit and all(latest)\n",
        "    return sum(_judge_attempts(outcomes)) >= limit\n",
    ),
    Mutant(
        "an outcome that is dated later is hidden",
        "decision/history.py",
        "or (is_replay and ended_at > now):",
        "or ended_at > now:",
        tests=("decision/test_history.py",),
    ),
    Mutant(
        "a backoff runs from a future instant",
        "decision/history.py",
        "last_build_at = min(failures[0].ended_at, now)",
        "last_build_at = failures[0].ended_at",
        tests=("decision/test_history.py",),
    ),
    Mutant(
        "builds of another version count",
        "decision/history.py",
        'return not wanted or build.template_version_id in ("", wanted)',
        "return True",
        tests=("decision/test_history.py",),
    ),
    Mutant(
        "each build of a pass is an attempt",
        "decision/history.py",
        "yield all(outcome.is_failure for outcome in attempt)",
        "yield from (outcome.is_failure for outcome in attempt)",
        tests=("decision/test_history.py",),
    ),
    Mutant(
        "attempts are ranked by when they ended",
        "decision/history.py",
        "in groupby(sorted(outcomes, key=_begun_at, reverse=True), key=_begun_at):",
        "in groupby(outcomes, key=_begun_at):",
        tests=("decision/test_history.py",),
    ),
    Mutant(
        "a build begun before the clock was set back holds its preset up",
        "decision/history.py",
        "outcome.begun_at <= now and ",
        "",
        tests=("decision/test_history.py",),
    ),
)
