"""The command: findings go to standard output, and each file that cannot be checked to standard error.

The exit status is 0 if nothing was found, 1 if something was, 2 if the call was wrong or a file could not be checked.
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
    """Check the paths that are given, and return the exit status."""
    checks = _Checks(_make_parser().parse_args(arguments).paths)
    status = write(checks.show)
    return status or (2 if checks.problems else 1 if checks.found else 0)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m prebuilds.lint", description="Find publishing inside transactions (PRB001)."
    )
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a Python file, or a directory to look for such in"
    )
    return parser


class _Checks:
    """The findings in these paths and below, each file looked at once; what came of it is counted meanwhile."""

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
