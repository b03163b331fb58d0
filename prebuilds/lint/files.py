"""The files to look at, and what is found in one of them."""

from __future__ import annotations

import ast
import io
import os
import tokenize
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from prebuilds.lint.checking import CODE, Finding, find_publishing
from prebuilds.lint.noqa import find_silenced

_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
_FOREIGN = ("node_modules", "site-packages", "__pycache__")


def list_files(path: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    """A path that is no directory itself; of a directory all `*.py` below it, in the order of their names.

    Hidden directories, virtual environments, and what others have installed are passed over. `on_error` is called with
    each directory that cannot be read.
    """
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path, onerror=on_error):
        folders[:] = sorted(name for name in folders if not _is_foreign(Path(folder, name)))
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(".py"))


def _is_foreign(folder: Path) -> bool:
    name = folder.name
    return name.startswith(".") or name in _FOREIGN or any((folder / mark).exists() for mark in _ENVIRONMENT_MARKS)


def check_file(path: Path) -> Sequence[Finding]:
    """What is found in a file and not silenced there.

    Raises `OSError` if it cannot be read, and `ValueError`, with a text that says why, if it is not Python.
    """
    try:
        lines = _read_lines(path.read_bytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what else may be wrong with the file is for others to tell
            tree = ast.parse("".join(lines))
        findings = find_publishing(tree, lines)
        silenced = find_silenced(lines, CODE) if findings else ()  # which takes longer than all the rest
    except (SyntaxError, tokenize.TokenError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(_describe(error)) from error
    return [finding for finding in findings if finding.line not in silenced]


def _read_lines(source: bytes) -> Sequence[str]:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    return io.TextIOWrapper(io.BytesIO(source), encoding).readlines()


def _describe(error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.lineno:
        return f"not Python: line {error.lineno}: {error.msg}"
    if isinstance(error, (RecursionError, MemoryError)):
        return "nested too deep to be read"
    return f"not Python: {error}"
