"""Bugs of what `check` finds."""

from __future__ import annotations

from mutants.records.mutant import Mutant

JUDGING = (
    Mutant(
        "check: a ttl as long as a build is long enough",
        "decision/judging/build_times.py",
        "middle <= lead_time:",
        "middle < lead_time:",
        tests=("decision/test_judging.py",),
    ),
    Mutant(
        "check: jitter shortens no ttl",
        "decision/judging/build_times.py",
        "preset.ttl * (1 - preset.ttl_jitter / 2)",
        "preset.ttl",
        tests=("decision/test_judging.py",),
    ),
    Mutant(
        "check: clocks never change while a lead lasts",
        "decision/judging/targets.py",
        "opening.lead - _CLOCK_CHANGE",
        "opening.lead",
        tests=("decision/test_judging.py",),
    ),
    Mutant(
        "check: the week ends on Saturday",
        "decision/judging/weeks.py",
        "return minutes >> count | (minutes << WEEK - count) & ALL_MINUTES",
        "return minutes >> count",
        tests=("decision/test_judging.py",),
    ),
    Mutant(
        "check: a budget must hold the largest counts at all times",
        "decision/judging/budgets.py",
        "return min(list_counts(preset))",
        "return max(list_counts(preset))",
        tests=("decision/test_judging.py",),
    ),
    Mutant(
        "check: a hidden window opens",
        "decision/judging/targets.py",
        "any(minutes and _get_count(preset, opening)",
        "any(_get_count(preset, opening)",
        tests=("decision/test_judging.py",),
    ),
    Mutant(
        "check: just the hit rate that was asked for is too low",
        "whatif/supply.py",
        "if hits >= goal",
        "if hits > goal",
        tests=("whatif/test_supply.py",),
    ),
    Mutant(
        "check: a warning fails",
        "commands/check.py",
        "any(problem.severity is Severity.ERROR for problem in problems)",
        "bool(problems)",
        tests=("test_check_command.py",),
    ),
)
