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
        "in presets}, resets, now,",
        "in presets}, {}, now,",
    ),
    Mutant(
        "a success does not end a hard limit",
        "decision/history.py",
        "list(takewhile(lambda attempt:",
        "list(filter(lambda attempt:",
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
        "last_build_at=min(last.ended_at, now)",
        "last_build_at=last.ended_at",
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
        "(list(attempt) for _, attempt in groupby(ranked, key=_begun_at))",
        "([outcome] for outcome in ranked)",
        tests=("decision/test_history.py",),
    ),
    Mutant(
        "attempts are ranked by when they ended",
        "decision/history.py",
        "ranked = sorted(outcomes, key=_begun_at, reverse=True)",
        "ranked = list(outcomes)",
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
