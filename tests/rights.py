"""Files that may not be written, for tests that run as root too."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, to whom no file refuses anything. What is imported lazily must have been."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def as_root() -> Iterator[None]:
    """With them again, within `as_nobody`; else as whoever owns the files, and may not write what is protected."""
    if os.getuid() != 0:
        pytest.skip("there is nobody else to write here")
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(_NOBODY)


@contextmanager
def make_shelf() -> Iterator[Path]:
    """A folder that others can look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            folder.chmod(0o755)
