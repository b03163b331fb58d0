"""What is run against a mutant: the likeliest to catch it first.

The tests that its record names come before all else, then the suites of its area.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mutants.records import Mutant

_TESTS = {
    "laws": ("decision", "test_laws.py", "test_vectors.py"),
    "runtime": ("runtime",),
    "adapters": ("adapters/test_sqlite_reading.py", "testing/test_contracts.py", "adapters"),
    "testing": ("testing",),
    "lint": ("test_lint.py",),
    "whatif": ("whatif",),
    "commands": ("test_commands.py", "test_check_command.py", "test_simulate_command.py", "test_cli.py"),
}
_SUITES = {
    "decision": ("laws", "kit", "runtime"),
    "runtime": ("kit", "runtime"),
    "adapters": ("kit", "adapters", "runtime"),
    "testing": ("testing",),
    "lint": ("lint",),
    "whatif": ("whatif", "commands"),
    "commands": ("commands", "whatif"),
}


class Suite(NamedTuple):
    """What it is called, and the command that runs it from the root of a checkout."""

    name: str
    command: tuple[str, ...]


def list_suites(mutant: Mutant) -> Iterator[Suite]:
    """The suites for a mutant, in the order in which they are tried."""
    if mutant.tests:
        yield Suite("named", _make_pytest(mutant.tests))
    store = "sqlite" if "/sqlite/" in mutant.file else "memory"
    for name in _SUITES[mutant.area]:
        kit = (sys.executable, "tests/mutants/kit.py", store)
        yield Suite(name, kit if name == "kit" else _make_pytest(_TESTS[name]))


def _make_pytest(paths: Sequence[str]) -> tuple[str, ...]:
    options = ("-x", "-q", "--no-header", "-p", "no:cacheprovider")
    return (sys.executable, "-m", "pytest", *options, *(f"tests/{path}" for path in paths))
