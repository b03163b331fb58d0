"""The linter as a plugin of flake8, which finds it by its entry point; flake8 itself is not needed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from prebuilds.lint.checking import find_publishing


class PublishChecker:
    """What flake8 makes for each file and runs. Comments that silence a line are flake8's own business."""

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:
        self._tree = tree
        self._lines = lines
        self.filename = filename

    def run(self) -> Iterator[tuple[int, int, str, type]]:
        """The findings, each as line, column, text, and this class."""
        for finding in find_publishing(self._tree, self._lines):
            yield finding.line, finding.column, finding.text, type(self)
