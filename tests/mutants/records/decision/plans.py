"""Bugs of models, of plans, and of budgets that presets share."""

from __future__ import annotations

from mutants.records.mutant import Mutant

PLANS = (
    Mutant(
        "a model made without checks stays open to change",
        "decision/unchecked.py",
        ' "_model.__class__ = _kind",',
        "",
        tests=("decision/test_unchecked.py",),
    ),
    Mutant(
        "a preset's prebuilds keep the order of the rows",
        "decision/snapshots.py",
        "        if len(group) > 1:\n",
        "        if False:\n",
        tests=("decision/test_planning.py",),
    ),
    Mutant(
        "a budget counts as enough if it is enough for one preset",
        "decision/plans/sharing.py",
        "totals[purse] += count",
        "totals[purse] = count",
        tests=("decision/test_budgets.py",),
    ),
    Mutant(
        "presets without a budget get nothing once all budgets are used up",
        "decision/plans/sharing.py",
        "        _grant_all([each for each in wanting if not each.purses])\n",
        "",
        tests=("decision/test_budgets.py",),
    ),
    Mutant(
        "the policy's budget wins over the store's",
        "decision/policies/budgets.py",
        "for budget in (*own, *sorted(stored, key=_get_name))",
        "for budget in (*sorted(stored, key=_get_name), *own)",
        tests=("runtime/test_stored_budgets.py",),
    ),
    Mutant(
        "a budget forgets the starts that are under way",
        "decision/plans/sharing.py",
        "sum(map(count_under_way, own)))",
        "0)",
        tests=("testing/faults/test_checking.py",),
    ),
    Mutant(
        "a create uses nothing of a budget up",
        "decision/plans/sharing.py",
        "            purse.left -= 1\n",
        "            purse.left -= 0\n",
        tests=("testing/faults/test_checking.py",),
    ),
)
