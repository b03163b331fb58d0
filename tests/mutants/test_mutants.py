"""Every mutant still applies, changes its file, and leaves it in good Python.

How many are caught is told by `nox -s mutants`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import prebuilds
from mutants.records import MUTANTS, Mutant
from mutants.suites import list_suites

PACKAGE = Path(prebuilds.__file__).parent
TESTS = Path(__file__).resolve().parents[1]


def test_there_are_many_and_none_twice() -> None:
    """Fewer would leave rules without one."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 170


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_applies(mutant: Mutant, tmp_path: Path) -> None:
    """Its old text is there exactly once, and what becomes of it is Python."""
    path = tmp_path / mutant.file
    path.parent.mkdir(parents=True)
    shutil.copy(PACKAGE / mutant.file, path)
    before = path.read_text(encoding="utf-8")
    mutant.apply(tmp_path)
    after = path.read_text(encoding="utf-8")
    assert after != before
    compile(after, mutant.file, "exec")
    with pytest.raises(ValueError, match="times, not once"):
        mutant._replace(old="no such text").apply(tmp_path)


def test_what_is_run_against_a_mutant_is_there() -> None:
    """A test that has moved would fail, and seem to catch every mutant that names it."""
    arguments = {argument for mutant in MUTANTS for suite in list_suites(mutant) for argument in suite.command}
    assert [path for path in arguments if path.startswith("tests/") and not (TESTS.parent / path).exists()] == []
