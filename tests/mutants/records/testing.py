"""Bugs of the kit that users get, and of the rule for linters."""

from __future__ import annotations

from mutants.records.mutant import Mutant

TESTING = (
    Mutant(
        "the kit's actors have more connections than their store",
        "testing/faults/worlds/scheduling.py",
        "        return self._free is None or self._free > 0\n",
        "        return True\n",
        tests=("testing/faults/test_checking.py::test_a_store_with_one_connection_is_given_one_transaction_at_a_time",),
    ),
    Mutant(
        "a failure is made smaller without a limit of time",
        "testing/faults/search/large_worlds.py",
        "        if self._get_time() >= self._until:\n",
        "        if False:\n",
        tests=("testing/faults/test_checking.py::test_making_a_failure_smaller_ends_in_time",),
    ),
    Mutant(
        "a relay that flushes inside a transaction is not found",
        "lint/checking.py",
        '_RELAYING = frozenset({"flush", "send"})',
        "_RELAYING: frozenset[str] = frozenset()",
        tests=("test_lint.py",),
    ),
    Mutant(
        "the suite does not say what it left out",
        "testing/contracts/__init__.py",
        "lacking=tuple(each for each in Capability if each not in capabilities)",
        "lacking=tuple(each for each in Capability if each not in Capability)",
        tests=("adapters/test_example.py::test_it_passes_the_checks_and_says_what_it_lacks",),
    ),
)
