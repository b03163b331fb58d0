"""Tables: with rules and colours in a terminal, plain lines for other tools.

- A table fits its terminal, or 79 columns without one. Long cells are wrapped.
- Without a terminal the first column, which has ids, is never wrapped, so that tools find the ids.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from prebuilds.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.table import Table

Rows = Iterable[tuple[Sequence[str], str]]
_WIDTH = 79
_UNBOUNDED = 10_000


def print_table(headers: Sequence[str], rows: Rows, *, numbers: Sequence[str] = (), notes: Iterable[str] = ()) -> None:
    """Print rows, each with its style, then the notes. The columns in `numbers` are aligned right.

    Raises `MissingExtraError` without the extra `cli`.
    """
    table = make_table(headers, rows, numbers=numbers)
    from rich.console import Console
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, highlight=False, width=None if is_terminal else _measure(table))
    console.print(table)
    for note in notes:
        console.print(Text(note), soft_wrap=not is_terminal)


def _measure(table: Table) -> int:
    """The width of a table without a terminal: more than 79 columns only for an id or a word that is too long."""
    from rich.console import Console
    from rich.measure import Measurement

    wide = Console(width=_UNBOUNDED)
    return max(_WIDTH, Measurement.get(wide, wide.options, table).minimum)


def make_table(headers: Sequence[str], rows: Rows, *, numbers: Sequence[str] = ()) -> Table:
    """The rows as a table of rich. Raises `MissingExtraError` without the extra `cli`."""
    try:
        from rich import box
        from rich.table import Table
        from rich.text import Text
    except ImportError as error:
        raise MissingExtraError("rich", "cli") from error
    is_terminal = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False, collapse_padding=is_terminal)
    for header in headers:
        is_whole = header == headers[0] and not is_terminal
        table.add_column(header, overflow="fold", justify="right" if header in numbers else "left", no_wrap=is_whole)
    for cells, style in rows:
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table
