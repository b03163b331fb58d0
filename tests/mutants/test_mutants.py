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
ROOT = Path(__file__).resolve().parents[2]


def test_there_are_many_and_no_duplicates() -> None:
    """Fewer would leave rules without one."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 260


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
    named = [argument.partition("::")[::2] for argument in arguments if argument.startswith("tests/")]
    assert [path for path, test in named if not is_there(ROOT / path, test)] == []


def is_there(path: Path, test: str) -> bool:
    """Whether there is this file or folder, and in it the test, if one is named."""
    return path.exists() and (not test or f"\ndef {test}(" in path.read_text(encoding="utf-8"))
