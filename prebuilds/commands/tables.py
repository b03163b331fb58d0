"""Tables for people: with rules and colours in a terminal, plain lines where other tools read them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from prebuilds.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.table import Table

Rows = Iterable[tuple[Sequence[str], str]]


def print_table(headers: Sequence[str], rows: Rows, *, numbers: Sequence[str] = (), notes: Iterable[str] = ()) -> None:
    """Print rows, each with its style, under these headers, then the notes; columns of numbers are aligned right.

    Raises `MissingExtraError` without the extra `cli`.
    """
    table = make_table(headers, rows, numbers=numbers)
    from rich.console import Console
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    # Where no terminal sets a width, a row is one line, however long, for tools that read lines.
    console = Console(file=sys.stdout, highlight=False, width=None if is_terminal else 10_000)
    console.print(table)
    for note in notes:
        console.print(Text(note), soft_wrap=not is_terminal)


def make_table(headers: Sequence[str], rows: Rows, *, numbers: Sequence[str] = ()) -> Table:
    """The same as a table of rich. Raises `MissingExtraError` without the extra `cli`."""
    try:
        from rich import box
        from rich.table import Table
        from rich.text import Text
    except ImportError as error:
        raise MissingExtraError("rich", "cli") from error
    is_terminal = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=is_terminal)
    for header in headers:
        table.add_column(header, overflow="fold", justify="right" if header in numbers else "left")
    for cells, style in rows:
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table
