"""The scripts under `tests` that are run by hand say what they do before they do it, as some last for an hour."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SCRIPTS = sorted(path for path in TESTS.rglob("*.py") if '\nif __name__ == "__main__":\n' in path.read_text("utf-8"))


def run(script: Path, argument: str) -> subprocess.CompletedProcess[str]:
    """The script as a person calls it: from the top, and a package from the folder that it is in."""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    return subprocess.run(
        [sys.executable, str(script), argument],
        capture_output=True,
        check=False,
        text=True,
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": path},
        timeout=60,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(TESTS).as_posix())
def test_a_script_says_what_it_does(script: Path) -> None:
    """`--help` has its docstring and begins nothing; neither does an option that there is not."""
    first_line = (ast.get_docstring(ast.parse(script.read_text("utf-8"))) or "").partition("\n")[0]
    asked = run(script, "--help")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert asked.stdout.startswith("usage: ")
    assert first_line in asked.stdout
    mistaken = run(script, "--hepl")
    assert (mistaken.returncode, mistaken.stdout) == (2, "")
    assert mistaken.stderr.startswith("usage: ")


def test_every_script_is_found() -> None:
    """Those that nox runs among them."""
    names = {path.relative_to(TESTS).as_posix() for path in SCRIPTS}
    assert {"crash_postgres.py", "bench.py", "notebooks.py", "mutants/__main__.py", "mutants/seeds.py"} <= names
