"""Run tests, the kit and the laws against every mutant, and print what caught which: `python -m mutants [WORDS]`.

Each mutant lives in a copy of the package of its own. What is likeliest to catch it comes first, and ends it. In the
end each suite that caught something is run over the package as it is: one that fails there too has caught nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mutants.records import MUTANTS, Mutant
from mutants.suites import Suite, list_suites

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 300  # seconds; a mutant may well hang
WORKERS = 2
SURVIVED = "SURVIVED"


class Catch(NamedTuple):
    """The suite that failed, and what it found, in a line."""

    suite: Suite
    found: str


def try_mutant(mutant: Mutant) -> Catch | None:
    """What caught it; None if it survived."""
    with make_copy() as root:
        mutant.apply(root / "prebuilds")
        for suite in list_suites(mutant):
            found = run(root, suite)
            if found:
                return Catch(suite, found)
    return None


def list_unsound(suites: Collection[Suite]) -> Iterator[str]:
    """A line for each suite that fails over the package as it is."""
    with make_copy() as root:
        for suite in suites:
            found = run(root, suite)
            if found:
                yield f"{suite.name} fails without a mutant: {found}: {' '.join(suite.command)}"


@contextmanager
def make_copy() -> Iterator[Path]:
    """A checkout that can be changed: the tests read the package, the documentation and each other."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("prebuilds", "tests", "docs"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
        for name in ("pyproject.toml", "README.md", "noxfile.py"):
            shutil.copy(ROOT / name, root)
        yield root


def run(root: Path, suite: Suite) -> str:
    """What a suite found, in a line; nothing if it passed."""
    environment = {"PYTHONPATH": str(root), "HYPOTHESIS_PROFILE": "mutants", "PATH": os.environ.get("PATH", "")}
    try:
        done = subprocess.run(
            suite.command, cwd=root, env=environment, capture_output=True, check=False, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return f"not done within {TIMEOUT} s"
    return "" if done.returncode == 0 else _summarize(done)


def _summarize(done: subprocess.CompletedProcess[str]) -> str:
    failed = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(\S+)", done.stdout, re.MULTILINE)
    lines = [line for line in (done.stdout or done.stderr).splitlines() if line.strip()]
    if failed:
        return failed[1]
    return lines[-1] if lines and done.returncode == 1 else f"ended with status {done.returncode}"


def main(words: Sequence[str]) -> int:
    """How many survived, as the exit status 1 if any did or a suite fails without a mutant."""
    chosen = [mutant for mutant in MUTANTS if all(word in mutant.name for word in words)]
    began, catches = time.monotonic(), []
    with ThreadPoolExecutor(WORKERS) as pool:
        for mutant, catch in zip(chosen, pool.map(try_mutant, chosen), strict=True):
            catches += [catch] if catch else []
            caught = f"{catch.suite.name}: {catch.found}" if catch else SURVIVED
            print(f"{mutant.area:8}  {mutant.name:58}  {caught}", flush=True)  # noqa: T201
    unsound = list(list_unsound({catch.suite for catch in catches}))
    summary = f"{len(catches)} of {len(chosen)} mutants caught, in {time.monotonic() - began:.0f} s"
    print(*unsound, summary, sep="\n")  # noqa: T201
    return int(len(catches) < len(chosen) or bool(unsound))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only the mutants that have all of them in their names")
    sys.exit(main(parser.parse_args().words))
