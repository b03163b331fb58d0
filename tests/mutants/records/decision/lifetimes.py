"""Bugs of lifetimes: deadlines, own ttls, replacing ahead, and which prebuilds go first."""

from __future__ import annotations

from mutants.records.mutant import Mutant

LIFETIMES = (
    Mutant(
        "a prebuild is stuck only after its deadline",
        "decision/lifetimes/deadlines.py",
        "now - started_at >= deadline",
        "now - started_at > deadline",
        tests=("decision/test_deadlines.py",),
    ),
    Mutant(
        "a start is overdue only after its deadline",
        "decision/lifetimes/deadlines.py",
        "now - began_at >= deadline",
        "now - began_at > deadline",
        tests=("decision/test_deadlines.py",),
    ),
    Mutant(
        "deletes have a deadline",
        "decision/lifetimes/deadlines.py",
        "return row.count if _is_start(row) and is_overdue(",
        "return row.count if is_overdue(",
        tests=("decision/test_deadlines.py",),
    ),
    Mutant(
        "overdue starts fill a place",
        "decision/state.py",
        "return count_in_progress(rows, Transition.START) - count_overdue(snapshot.preset, rows, snapshot.now)",
        "return count_in_progress(rows, Transition.START)",
        tests=("decision/test_deadlines.py",),
    ),
    Mutant(
        "own ttls are longer",
        "decision/lifetimes/aging.py",
        "return ttl - int(",
        "return ttl + int(",
        tests=("decision/test_refresh.py",),
    ),
    Mutant(
        "aging begins a moment late",
        "decision/lifetimes/aging.py",
        "now - prebuild.created_at >= ttl - ahead",
        "now - prebuild.created_at > ttl - ahead",
        tests=("decision/test_refresh.py",),
    ),
    Mutant(
        "ready prebuilds go before those that are not",
        "decision/lifetimes/victims.py",
        "return [*_put_first(unready, aging), *_put_first(ready, aging)]",
        "return [*_put_first(ready, aging), *_put_first(unready, aging)]",
        tests=("decision/test_refresh.py",),
    ),
    Mutant(
        "the surge has no bound",
        "decision/lifetimes/victims.py",
        "return count if most is None else min(count, most)",
        "return count",
        tests=("decision/test_refresh.py",),
    ),
    Mutant(
        "aging prebuilds go before their replacements are ready",
        "decision/lifetimes/victims.py",
        "ready = sum([prebuild.ready for prebuild in snapshot.running])",
        "ready = len(snapshot.running)",
        tests=("decision/test_refresh.py",),
    ),
    Mutant(
        "only the oldest of all is asked when it expires",
        "decision/next_change.py",
        "if snapshot.preset.ttl_jitter else _list_oldest(snapshot)",
        "if False else _list_oldest(snapshot)",
        tests=("decision/test_refresh.py",),
    ),
    Mutant(
        "what expires last is replaced first",
        "decision/lifetimes/victims.py",
        "rank_by_end(snapshot.preset, aging)[",
        "aging[",
        tests=("whatif/test_refresh.py",),
    ),
    Mutant(
        "a surge leaves out what is being deleted",
        "decision/state.py",
        "return running + sum([row.count for row in snapshot.in_progress]) if snapshot.in_progress else running",
        "return running",
        tests=("decision/test_budgets.py::test_what_is_there_stays_within_the_surge",),
    ),
)
