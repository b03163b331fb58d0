"""CSV files: reads the cells of named columns, row by row."""

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
"""A path, or an open file. A path that ends in `.gz` is unpacked."""


def list_columns(source: TraceSource) -> tuple[str, ...]:
    """The names of the columns, from the first line of a CSV file."""
    with open_csv(source) as stream:
        return tuple(next(csv.reader(stream), []))


def read_rows(stream: IO[str], *columns: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each row as its place, such as `line 7`, and the cells of these columns. A missing cell is empty."""
    reader = csv.reader(stream)
    header = next(reader, [])
    for column in columns:
        count = header.count(column)
        if count != 1:
            found = f"{count} columns are named" if count else "no column is named"
            raise InvalidTraceError([f"line 1: {found} {show(column)}; the columns are {show(header)}"])
    indexes = [header.index(column) for column in columns]
    filling = [""] * (max(indexes, default=0) + 1)
    for row in reader:
        if row:
            cells = row if len(row) >= len(filling) else row + filling
            yield f"line {reader.line_num}", tuple([cells[index] for index in indexes])


@contextmanager
def open_csv(source: TraceSource) -> Iterator[IO[str]]:
    """Open a source as CSV text. Raises `InvalidTraceError` if it is not CSV."""
    with _open(source) as stream:
        try:
            yield stream
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InvalidTraceError([f"cannot be unpacked as gzip: {error}"]) from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise InvalidTraceError([f"not CSV in UTF-8: {error}"]) from error


@contextmanager
def _open(source: TraceSource) -> Iterator[IO[str]]:
    """Open the source as text. A file that the caller opened stays open."""
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
