"""CSV files: the cells of named columns, row by row, each row with its place."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from typing import IO, Union, cast

from prebuilds.errors import InvalidTraceError, InvalidValueError, show

TraceSource = Union[str, "PathLike[str]", IO[str], IO[bytes]]
"""A path, compressed if it ends in `.gz`, or an open file."""


def list_columns(source: TraceSource) -> tuple[str, ...]:
    """The names of the columns of a CSV file, which its first line has."""
    with open_csv(source) as stream:
        return tuple(next(csv.reader(stream), []))


def read_rows(stream: IO[str], *columns: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The cells of these columns, row by row, each row with its place; a cell that is not there is empty."""
    reader = csv.reader(stream)
    header = next(reader, [])
    for column in columns:
        if header.count(column) != 1:
            found = f"{header.count(column)} columns are {show(column)}"
            raise InvalidTraceError([f"line 1: {found}; the columns are {show(header)}"])
    indexes = [header.index(column) for column in columns]
    filling = [""] * (max(indexes, default=0) + 1)
    for row in reader:
        if row:
            cells = row if len(row) >= len(filling) else row + filling
            yield f"line {reader.line_num}", tuple([cells[index] for index in indexes])


@contextmanager
def open_csv(source: TraceSource) -> Iterator[IO[str]]:
    """The source as text to read CSV from. Raises `InvalidTraceError` for what is none."""
    with _open(source) as stream:
        try:
            yield stream
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InvalidTraceError([f"cannot be unpacked as gzip: {error}"]) from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise InvalidTraceError([f"not CSV in UTF-8: {error}"]) from error


@contextmanager
def _open(source: TraceSource) -> Iterator[IO[str]]:
    """The source as text; an open file is left open, as it is its owner's to close."""
    if isinstance(source, (str, PathLike)):
        opener: Callable[..., IO[str]] = gzip.open if fspath(source).endswith(".gz") else open
        with opener(source, "rt", encoding="utf-8-sig", newline="") as stream:
            yield stream
    elif not hasattr(source, "read"):
        raise InvalidValueError("Trace", "source", source, "a path, or a file that is open to read")
    elif isinstance(source.read(0), str):
        yield cast("IO[str]", source)
    else:
        wrapper = io.TextIOWrapper(cast("IO[bytes]", source), encoding="utf-8-sig", newline="")
        try:
            yield wrapper
        finally:
            wrapper.detach()
