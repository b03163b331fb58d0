"""The linter as a flake8 plugin. flake8 finds it by its entry point, and need not be installed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from prebuilds.lint.checking import find_publishing


class PublishChecker:
    """flake8 makes one for each file and runs it. flake8 itself handles the comments that silence a line."""

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:
        self._tree = tree
        self._lines = lines
        self.filename = filename

    def run(self) -> Iterator[tuple[int, int, str, type]]:
        """The findings, each as line, column, text and this class."""
        for finding in find_publishing(self._tree, self._lines):
            yield finding.line, finding.column, finding.text, type(self)
