"""Run the shipped kit and the laws against every mutant, and print what caught which: `python -m mutants [WORDS]`.

Each mutant lives in a copy of the package of its own. What is likeliest to catch it comes first, and ends it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutants.records import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 150  # seconds; a mutant may well hang
WORKERS = 2
SURVIVED = "SURVIVED"
_LAWS = ("decision", "test_laws.py", "test_vectors.py")
_RUNTIME_LAWS = ("runtime",)


def list_commands(mutant: Mutant) -> Iterator[tuple[str, Sequence[str]]]:
    """The suites for a mutant, with what each is called."""
    store = "sqlite" if "/sqlite/" in mutant.file else "memory"
    kit = ("kit", [sys.executable, "tests/mutants/kit.py", store])
    laws, runtime = (("laws", _make_pytest(paths)) for paths in (_LAWS, _RUNTIME_LAWS))
    yield from {"decision": (laws, kit, runtime), "runtime": (kit, runtime), "adapters": (kit, runtime)}[mutant.area]


def _make_pytest(paths: Sequence[str]) -> Sequence[str]:
    options = ["-x", "-q", "--no-header", "-p", "no:cacheprovider"]
    return [sys.executable, "-m", "pytest", *options, *(f"tests/{path}" for path in paths)]


def try_mutant(mutant: Mutant) -> str:
    """What caught it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("prebuilds", "tests"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", root)
        mutant.apply(root / "prebuilds")
        for name, command in list_commands(mutant):
            found = _run(root, command)
            if found:
                return f"{name}: {found}"
    return SURVIVED


def _run(root: Path, command: Sequence[str]) -> str:
    """What a suite found, in a line; nothing if it passed."""
    environment = {"PYTHONPATH": str(root), "HYPOTHESIS_PROFILE": "mutants", "PATH": ""}
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, check=False, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return f"not done within {TIMEOUT} s"
    return "" if done.returncode == 0 else _summarize(done.stdout, done.stderr)


def _summarize(out: str, err: str) -> str:
    failed = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(\S+)", out, re.MULTILINE)
    lines = [line for line in (*out.splitlines(), *err.splitlines()) if line.strip()]
    return failed[1] if failed else lines[-1] if lines else "failed without a word"


def main(words: Sequence[str]) -> int:
    """How many survived, as the exit status 1 if any did."""
    chosen = [mutant for mutant in MUTANTS if all(word in mutant.name for word in words)]
    began, survivors = time.monotonic(), 0
    with ThreadPoolExecutor(WORKERS) as pool:
        for mutant, caught in zip(chosen, pool.map(try_mutant, chosen), strict=True):
            survivors += caught == SURVIVED
            print(f"{mutant.area:8}  {mutant.name:58}  {caught}", flush=True)  # noqa: T201
    caught_count = len(chosen) - survivors
    print(f"{caught_count} of {len(chosen)} mutants caught, in {time.monotonic() - began:.0f} s")  # noqa: T201
    return min(survivors, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only the mutants that have all of them in their names")
    sys.exit(main(parser.parse_args().words))
