"""Tables as HTML, for notebooks. Every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def render_table(headers: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = ()) -> str:
    """A table with a header row, and the notes as paragraphs below it."""
    body = "".join(_render_row(cells, "td") for cells in rows)
    below = "".join(_render("p", note) for note in notes)
    return f"<table><thead>{_render_row(headers, 'th')}</thead><tbody>{body}</tbody></table>{below}"


def _render_row(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(_render(tag, cell) for cell in cells)}</tr>"


def _render(tag: str, text: str) -> str:
    from html import escape  # its table of entities is slow to load, and only a notebook needs it

    return f"<{tag}>{escape(text)}</{tag}>"
