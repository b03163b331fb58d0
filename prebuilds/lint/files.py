"""Finding the files to check, and checking one of them."""

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
    """The path itself if it is a file; for a directory, all `*.py` files below it, sorted by name.

    Skips hidden directories, virtual environments and installed packages. Calls `on_error` for each directory that
    cannot be read.
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
    """The findings in a file that no comment silences.

    Raises `OSError` if it cannot be read, and `ValueError` with the reason if it is not Python.
    """
    try:
        lines = _read_lines(path.read_bytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other tools report those
            tree = ast.parse("".join(lines))
        findings = find_publishing(tree, lines)
        silenced = find_silenced(lines, CODE) if findings else ()  # slower than everything else
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
        return "nested too deeply to be read"
    return f"not Python: {error}"
