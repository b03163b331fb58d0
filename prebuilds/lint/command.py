"""The command: findings go to standard output, and files that cannot be checked to standard error.

The exit status is 0 without findings, 1 with some, and 2 for wrong arguments or a file that cannot be checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from prebuilds.commands.console.streams import write
from prebuilds.lint.checking import Finding
from prebuilds.lint.files import check_file, list_files


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the given paths and return the exit status."""
    checks = _Checks(_make_parser().parse_args(arguments).paths)
    status = write(checks.show)
    return status or (2 if checks.problems else 1 if checks.found else 0)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m prebuilds.lint", description="Find calls that publish inside a transaction (PRB001)."
    )
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a Python file, or a directory to search for Python files"
    )
    return parser


class _Checks:
    """Checks each file in and below these paths once, and counts findings and problems."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self.found = self.problems = 0

    def show(self) -> None:
        """Print them all."""
        for path in dict.fromkeys(file for given in self._paths for file in list_files(given, self._tell)):
            for line, column, text in self._check(path):
                self.found += 1
                print(f"{path}:{line}:{column + 1}: {text}")

    def _check(self, path: Path) -> Sequence[Finding]:
        try:
            return check_file(path)
        except OSError as error:
            self._tell(error)
        except ValueError as error:
            self._complain(path, str(error))
        return ()

    def _tell(self, error: OSError) -> None:
        self._complain(error.filename, error.strerror or str(error))

    def _complain(self, path: object, problem: str) -> None:
        self.problems += 1
        print(f"{path}: {problem}", file=sys.stderr)
